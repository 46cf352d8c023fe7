// SPDX-License-Identifier: Apache-2.0
/// @file
/// A run that begins with the weights of an earlier model (`train.init`).
#ifndef COMODAL_APP_BEGIN_WITH_HPP
#define COMODAL_APP_BEGIN_WITH_HPP

#include <comodal/app/observer.hpp>
#include <comodal/app/registry.hpp>
#include <comodal/model/model_file.hpp>
#include <comodal/model/transfer.hpp>

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>

namespace comodal::inline COMODAL_CONFIG {

namespace app_detail {

// Before a volume is read. @throws config_error
inline void expect_model_file(const std::string& init) {
  if (!init.empty() && !std::filesystem::is_regular_file(init))
    throw config_error(text("train.init = \"", init, "\": there is no such file; name the model.safetensors of a run"));
}

/// Gives all networks of a method the weights of a model file, for what both have in common: those that the model
/// predicts with. Of several trained networks, all but the first keep their heads. @param init the file; empty: nothing
/// is done
/// @throws io_error, config_error as `plan_of`; config_error where the networks have nothing in common
template <tensor_backend Backend>
void begin_with(const std::string& init, const any_method<Backend>& method, const model_plan& plan,
                const registry<Backend>& names, const app::observer& watch) {
  if (init.empty()) return;
  const auto content = read_model_file(init);
  const model_plan from = plan_of(content, init, names.normalisations);
  transfer_summary all;
  std::set<const parameter_store<Backend>*> done;
  const auto take = [&](const parameter_store<Backend>& store, bool heads) {
    if (!done.insert(&store).second) return;
    const auto one = transfer_parameters(store, plan, content, from, from.predictors.at(0), heads);
    all.taken += one.taken;
    all.fresh += one.fresh;
  };
  // Two networks that teach each other must not begin alike: the heads of the second are its own.
  for (const auto& one : method.trained()) take(*one.store, done.empty());
  for (const auto& one : method.predictors()) take(one.network.parameters(), true);
  if (all.taken == 0)
    throw config_error(text("train.init = \"", init,
                            "\": its network has nothing in common with this one; take the same model.encoder, "
                            "model.fusion and channels"));
  watch.tell(text("weights of ", init, ": ", 100 * all.taken / (all.taken + all.fresh),
                  " % of the parameters begin with its values"));
  const auto kind_of = [](const model_plan& of, std::size_t m) {
    return of.prepare.normalise[of.prepare.normalise.size() == 1 ? 0 : m].name;
  };
  for (std::size_t m = 0; m < plan.modalities.size(); ++m)
    for (std::size_t k = 0; k < from.modalities.size(); ++k)
      if (plan.modalities[m] == from.modalities[k] && kind_of(plan, m) != kind_of(from, k))
        watch.warn(text(init, ": was trained on '", from.modalities[k], "' normalised by ", kind_of(from, k),
                        ", here it is ", kind_of(plan, m)));
}

}  // namespace app_detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
