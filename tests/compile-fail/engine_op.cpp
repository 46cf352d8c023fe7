// SPDX-License-Identifier: Apache-2.0
#include <comodal/engine/engine.hpp>

using B = comodal::default_backend;
using problem = comodal::fill_problem;
using arguments = problem::arguments<float>;
using my_context = comodal::context<B>;

template <int Number>
struct engine {
  static constexpr const char* name = "mine";
  using serves = comodal::problem_list<problem>;
};

struct complete {
  using plan_type = comodal::simple_plan;
  static comodal::support supports(my_context&, const problem&, comodal::direction);
  static bool prefers(my_context&, const problem&, comodal::direction);
  static plan_type make_plan(my_context&, const problem&, comodal::direction);
  static void run(my_context&, const plan_type&, const problem&, comodal::direction, const arguments&);
};
struct planless {};

template <>
struct comodal::engine_op<engine<0>, problem, B> : complete {};
template <>
struct comodal::engine_op<engine<1>, problem, B> : complete {
  using plan_type = planless;
};
template <>
struct comodal::engine_op<engine<2>, problem, B> : complete {
  static void run(my_context&);
};
template <>
struct comodal::engine_op<engine<3>, problem, B> : complete {
  static constexpr bool ready = true;
};
template <>
struct comodal::engine_op<engine<7>, problem, B> : comodal::ready_op<engine<7>, problem, B> {
  struct plan_type : comodal::simple_plan {};
  static void run(my_context&, const plan_type&, const problem&, comodal::direction, const arguments&);
};
template <>
struct comodal::engine_op<engine<4>, problem, B> : complete {
  static void prefers(my_context&, const problem&, comodal::direction);
};
template <>
struct comodal::engine_op<engine<5>, problem, B> : complete {
  static bool supports(my_context&, const problem&, comodal::direction);
};
template <>
struct comodal::engine_op<engine<6>, problem, B> : comodal::ready_op<engine<6>, problem, B> {
  static void run(my_context&, const comodal::simple_plan&, const problem&, comodal::direction, const arguments&);
};

template <int Number>
void check() {
  comodal::engine_detail::check_engine_op<engine<Number>, problem, B>();
}

int main() {
  check<0>();
  check<1>();
  check<2>();
  check<3>();
  check<7>();
  check<4>();
  check<5>();
  check<6>();
}
