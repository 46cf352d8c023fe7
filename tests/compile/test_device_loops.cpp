// SPDX-License-Identifier: Apache-2.0
// Loops and sums over rows as devices run them: on a machine without a GPU nothing else does.
#define BOOST_TEST_MODULE compile_device_loops
#include <boost/test/unit_test.hpp>

#include <compile/device_bodies.hpp>

#undef BOOST_TEST_MODULE
#include <core/test_loops.cpp>

static_assert(!comodal::is_host_v<comodal::default_space>);
