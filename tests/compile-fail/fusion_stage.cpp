// SPDX-License-Identifier: Apache-2.0
#include <comodal/model/fusion_stage.hpp>

using B = comodal::default_backend;
using value = comodal::variable<B>;
using maps = std::vector<value>;
using mask = comodal::presence<B>;
using request = comodal::forward_request;

struct complete {
  value fuse(const maps&, const mask&, const value&, const request&) const;
  maps enhance(const maps&, const value&, const request&) const;
};
struct without_fuse : complete {
  void fuse() const;
};
struct without_enhance : complete {
  void enhance() const;
};
struct fuses_to_nothing : complete {
  void fuse(const maps&, const mask&, const value&, const request&) const;
};
struct enhances_to_one : complete {
  value enhance(const maps&, const value&, const request&) const;
};

int main() {
  comodal::check_fusion_stage<complete, B>();
  comodal::check_fusion_stage<without_fuse, B>();
  comodal::check_fusion_stage<without_enhance, B>();
  comodal::check_fusion_stage<fuses_to_nothing, B>();
  comodal::check_fusion_stage<enhances_to_one, B>();
}
