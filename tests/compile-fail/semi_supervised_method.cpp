// SPDX-License-Identifier: Apache-2.0
#include <comodal/ssl/method_registry.hpp>

using B = comodal::default_backend;
using request = comodal::step_request;

struct complete {
  comodal::batch_views views() const;
  comodal::named_scalars<B> step(const comodal::step_batch&, const request&);
  std::vector<comodal::named_store<B>> trained() const;
  std::vector<comodal::named_network<B>> predictors() const;
  void save(comodal::safetensors_file&) const;
  void load(const comodal::safetensors_file&);
};
static_assert(comodal::semi_supervised_method<complete, B>);

struct without_views : complete {
  void views(int) const;
};
struct without_step : complete {
  void step();
};
struct without_trained : complete {
  void trained(int) const;
};
struct without_predictors : complete {
  void predictors(int) const;
};
struct without_save : complete {
  void save() const;
};
struct without_load : complete {
  void load();
};
struct of_another_update : complete {
  void after_update(int, int);
};
struct of_another_validation : complete {
  void on_validation();
};
struct of_another_round : complete {
  void between_rounds();
};
struct of_another_result : complete {
  void step(const comodal::step_batch&, const request&);
};

int main() {
  comodal::check_semi_supervised_method<without_views, B>();
  comodal::check_semi_supervised_method<without_step, B>();
  comodal::check_semi_supervised_method<without_trained, B>();
  comodal::check_semi_supervised_method<without_predictors, B>();
  comodal::check_semi_supervised_method<without_save, B>();
  comodal::check_semi_supervised_method<without_load, B>();
  comodal::check_semi_supervised_method<of_another_update, B>();
  comodal::check_semi_supervised_method<of_another_validation, B>();
  comodal::check_semi_supervised_method<of_another_round, B>();
  (void)comodal::any_method<B>(std::make_unique<of_another_result>());
}
