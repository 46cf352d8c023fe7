// SPDX-License-Identifier: Apache-2.0
// The agreement of every operation with the reference engine, computed by the bodies that devices run. On a machine
// without a GPU nothing else calls them.
#define BOOST_TEST_MODULE compile_device_bodies
#include <boost/test/unit_test.hpp>

#include <compile/device_bodies.hpp>

#undef BOOST_TEST_MODULE
#include <engine/test_agreement_arithmetic.cpp>
#undef BOOST_TEST_MODULE
#include <engine/test_agreement_convolution.cpp>
#undef BOOST_TEST_MODULE
#include <engine/test_agreement_reduction.cpp>
#undef BOOST_TEST_MODULE
#include <engine/test_agreement_resampling.cpp>
#undef BOOST_TEST_MODULE
#include <engine/test_agreement_structure.cpp>

static_assert(!comodal::is_host_v<comodal::default_space> &&
              std::is_same_v<comodal::default_backend::engines_type, comodal::engine_list<comodal::device_engine>>);
