// SPDX-License-Identifier: Apache-2.0
#include <comodal/model/make_network.hpp>

using B = comodal::default_backend;

struct without_stages {
  comodal::index channels(int) const;
  comodal::variable<B> encode_stage(int, const comodal::variable<B>&, const comodal::forward_request&) const;
};
struct without_channels {
  int stages() const;
  comodal::variable<B> encode_stage(int, const comodal::variable<B>&, const comodal::forward_request&) const;
};
struct without_encode_stage {
  int stages() const;
  comodal::index channels(int) const;
};
struct of_another_result : without_encode_stage {
  int encode_stage(int, const comodal::variable<B>&, const comodal::forward_request&) const;
};

int main() {
  comodal::check_modality_encoder<without_stages, B>();
  comodal::check_modality_encoder<without_channels, B>();
  comodal::check_modality_encoder<of_another_result, B>();
  (void)comodal::any_encoder<B>(without_encode_stage{});
}
