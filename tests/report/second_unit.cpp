// SPDX-License-Identifier: Apache-2.0
// A second translation unit with every header of the layer; test_image_bytes.cpp calls it.
#include <comodal/report/report.hpp>

std::size_t bytes_of_a_picture_from_the_second_unit() { return comodal::encode_png(comodal::picture(3, 2, 3)).size(); }
