// SPDX-License-Identifier: Apache-2.0
#include <comodal/model/decoder.hpp>

using B = comodal::default_backend;

struct without_decode {};
struct of_one_result {
  comodal::variable<B> decode(const std::vector<comodal::variable<B>>&, const comodal::forward_request&) const;
};

int main() {
  comodal::check_decoder<of_one_result, B>();
  (void)comodal::any_decoder<B>(without_decode{});
}
