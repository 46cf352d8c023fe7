// SPDX-License-Identifier: Apache-2.0
// The step block, uploads and recorded steps as devices run them: on a machine without a GPU nothing else does.
#define BOOST_TEST_MODULE compile_device_step
#include <boost/test/unit_test.hpp>

#include <compile/device_bodies.hpp>

#undef BOOST_TEST_MODULE
#include <core/test_step_block.cpp>
#undef BOOST_TEST_MODULE
#include <core/test_upload.cpp>
#undef BOOST_TEST_MODULE
#include <autograd/test_recording.cpp>

static_assert(!comodal::is_host_v<comodal::default_space>);
