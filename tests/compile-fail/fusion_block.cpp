// SPDX-License-Identifier: Apache-2.0
#include <comodal/model/fusion_stage.hpp>

using B = comodal::default_backend;
using scope = comodal::parameter_scope<B>;
using maps = std::vector<comodal::variable<B>>;
using mask = comodal::presence<B>;

struct unknown {};
struct without_constructor {
  comodal::variable<B> fuse(const maps&, const mask&) const;
};
struct without_fuse {
  without_fuse(const scope&, const comodal::fusion_sizes&);
};
struct of_another_result {
  of_another_result(const scope&, const comodal::fusion_sizes&);
  void fuse(const maps&, const mask&) const;
};
struct tag {};

template <comodal::tensor_backend Backend>
struct comodal::fusion_block<tag, Backend> : without_fuse {
  using without_fuse::without_fuse;
};

void make(const scope& s, const comodal::fusion_stage_sizes& sizes) {
  comodal::check_fusion_block<without_constructor, B>();
  comodal::check_fusion_block<without_fuse, B>();
  comodal::check_fusion_block<of_another_result, B>();
  (void)comodal::multi_stage_fusion<unknown, B>(s, sizes);
  (void)comodal::multi_stage_fusion<tag, B>(s, sizes);
}
