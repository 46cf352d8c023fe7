// SPDX-License-Identifier: Apache-2.0
#include <comodal/core/context.hpp>

int main() { comodal::context<float> ctx; }
