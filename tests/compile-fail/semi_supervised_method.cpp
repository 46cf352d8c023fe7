// SPDX-License-Identifier: Apache-2.0
#include <comodal/ssl/any_method.hpp>

using B = comodal::default_backend;
using volumes = std::vector<comodal::variable<B>>;

struct complete {
  comodal::named_scalars<B> step(const comodal::step_batch&, const comodal::progress&);
  void after_update(const comodal::progress&);
  comodal::network_output<B> predict(const volumes&, const comodal::presence<B>&, comodal::prediction_weights,
                                     comodal::network_outputs) const;
  const comodal::parameter_store<B>& parameters() const;
  const comodal::parameter_store<B>& averaged() const;
  void save(comodal::safetensors_file&) const;
  void load(const comodal::safetensors_file&);
};
struct without_step : complete {
  void step();
};
struct without_after_update : complete {
  void after_update();
};
struct without_predict : complete {
  void predict() const;
};
struct without_parameters : complete {
  void parameters(int) const;
};
struct without_averaged : complete {
  void averaged(int) const;
};
struct without_save : complete {
  void save() const;
};
struct without_load : complete {
  void load();
};
struct of_another_result : complete {
  void step(const comodal::step_batch&, const comodal::progress&);
};

int main() {
  comodal::check_semi_supervised_method<without_step, B>();
  comodal::check_semi_supervised_method<without_after_update, B>();
  comodal::check_semi_supervised_method<without_parameters, B>();
  comodal::check_semi_supervised_method<without_averaged, B>();
  comodal::check_semi_supervised_method<without_save, B>();
  comodal::check_semi_supervised_method<without_load, B>();
  comodal::check_semi_supervised_method<of_another_result, B>();
  (void)comodal::any_method<B>(std::make_unique<without_predict>());
}
