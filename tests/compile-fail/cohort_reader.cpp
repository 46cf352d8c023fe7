// SPDX-License-Identifier: Apache-2.0
#include <comodal/data/cohort_reader.hpp>

struct complete {
  static std::string_view layout();
  static bool recognises(const std::filesystem::path&);
  comodal::cohort_listing list() const;
};
struct without_layout : complete {
  std::string_view layout(int) const;
};
struct without_recognises : complete {
  static bool recognises();
};
struct without_list : complete {
  void list();
};

int main() {
  comodal::check_cohort_reader<complete>();
  comodal::check_cohort_reader<without_layout>();
  comodal::check_cohort_reader<without_recognises>();
  comodal::check_cohort_reader<without_list>();
}
