// SPDX-License-Identifier: Apache-2.0
// `comodal predict` and `comodal info`.
#include "commands.hpp"
#include "session.hpp"

#include <comodal/core/runtime.hpp>
#include <comodal/data/cohort_json.hpp>
#include <comodal/data/nnunet_raw.hpp>
#include <comodal/infer/predict_case.hpp>

#include <unistd.h>

#include <cstdio>

namespace cli {
namespace {

using comodal::text;

// What convolves maps of bfloat16 here, asked for a layer of a usual size.
void print_bfloat16_engine() {
  comodal::context<comodal::bfloat16_backend<backend>> context;
  const auto& plan =
      comodal::engine_facts(context, comodal::conv3d_problem(1, {16, 16, 16}, 32, 32), comodal::direction::forward);
  std::printf("bf16: a usual convolution runs on the %s engine%s%s%s%s; processor: %s\n",
              std::string(plan.engine).c_str(), plan.algorithm.empty() ? "" : ", ", plan.algorithm.c_str(),
              plan.implementation.empty() ? "" : ", ", plan.implementation.c_str(),
              context.host_processor().to_string().c_str());
}

// How one window of the model's network is computed here: what its operations planned in a forward pass of zeros.
void print_engines(const comodal::model_plan& plan) {
  const comodal::runtime scope;
  session on;
  const auto modalities = static_cast<comodal::index>(plan.modalities.size());
  const auto network = comodal::make_network<backend>(on.tape, plan.network, modalities, plan.channels(), plan.seed);
  const comodal::no_grad_scope<backend> quiet(on.tape);
  const comodal::shape window{1, plan.patch_size[0], plan.patch_size[1], plan.patch_size[2], 1};
  std::vector<comodal::variable<backend>> volumes;
  for (comodal::index m = 0; m < modalities; ++m)
    volumes.push_back(on.tape.constant(comodal::ops::full(on.context, window, 0.f)));
  const std::vector<float> all(static_cast<std::size_t>(modalities), 1.f);
  (void)network.forward(volumes, {on.tape, 1, modalities, all}, comodal::network_outputs::fused_only);
  std::printf("\none window on this machine (%s):\n%s", on.context.host_processor().to_string().c_str(),
              comodal::plan_table(on.context.planned()).c_str());
}

// The folders of all outputs that a network of these modalities may have.
std::vector<path> output_folders(const path& folder, const std::vector<std::string>& modalities) {
  std::vector<path> folders{folder};
  for (const auto& name : modalities)
    for (const char* kind : {"branch ", "only "}) folders.push_back(folder / folder_of(kind + name));
  return folders;
}

// Volumes that no `predict` wrote may be somebody's labels or images.
void refuse_foreign_volumes(const path& folder) {
  if (!std::filesystem::is_directory(folder) || std::filesystem::exists(folder / "predictions.json")) return;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".nii.gz") || name.ends_with(".nii"))
      throw comodal::config_error(
          text(folder.string(), ": holds ", name, ", which `comodal predict` did not write; name a new folder"));
  }
}

// What `evaluate` needs to know of a folder of masks.
void write_description(const path& folder, const path& model, const comodal::model_plan& plan,
                       const std::vector<std::string>& outputs, const std::vector<std::string>& cases) {
  nlohmann::ordered_json description{
      {"model", model.string()}, {"outputs", outputs}, {"modalities", plan.modalities}, {"cases", cases}};
  description["labels"] = comodal::label_classes_to_json(plan.labels);
  comodal::write_text(folder / "predictions.json", description.dump(2) + "\n");
}

// The weights that predict: the default of the model, unless others are asked for.
std::string weights_of(const predict_arguments& arguments, const comodal::model_plan& plan) {
  if (arguments.weights.empty()) return plan.predictors.at(0);
  std::string names;
  for (const auto& name : plan.predictors) {
    if (name == arguments.weights) return name;
    names += (names.empty() ? "" : ", ") + name;
  }
  throw comodal::config_error(
      text(arguments.model.string(), ": has no weights '", arguments.weights, "', but: ", names));
}

}  // namespace

int predict(const predict_arguments& arguments) {
  const auto content = comodal::read_model_file(arguments.model);
  const auto plan = comodal::plan_of(content, arguments.model);
  if (!std::filesystem::is_directory(arguments.images))
    throw comodal::io_error(text(arguments.images.string(), ": there is no such folder of images"));
  std::vector<comodal::finding> findings;
  const std::string ending = comodal::volume_ending(arguments.images);
  const auto cases = comodal::read_nnunet_images(arguments.images, plan.modalities.size(), ending, findings);
  print_warnings(findings);
  comodal::refuse_errors(findings);
  if (cases.empty())
    throw comodal::io_error(text(arguments.images.string(), ": holds no image CASE_0000", ending, " ... CASE_",
                                 modality_number(plan.modalities.size() - 1), ending));

  refuse_foreign_volumes(arguments.folder);

  const comodal::runtime scope(arguments.threads);
  session on;
  const auto network = comodal::make_network<backend>(
      on.tape, plan.network, static_cast<comodal::index>(plan.modalities.size()), plan.channels(), plan.seed);
  comodal::load_parameters(network.parameters(), weights_of(arguments, plan) + "/", content);
  comodal::window_options windows{plan.patch_size, arguments.step, {}};
  for (const auto& axis : arguments.mirror) windows.mirror.push_back(axis == "i" ? 2 : axis == "j" ? 1 : 0);

  std::filesystem::create_directories(arguments.folder);
  // What stands there from another model or run is not to be taken for this one's: not after a failure, not after a
  // kill.
  std::vector<std::string> outputs, written;
  write_description(arguments.folder, arguments.model, plan, outputs, written);
  std::size_t done = 0;
  std::string failures;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto failed = [&](const std::string& words) { failures += (failures.empty() ? "" : "\n") + words; };
  for (const auto& files : cases) {
    if (terminal) std::fputs("\r\033[K", stderr);  // the case's warnings begin a line
    try {
      for (const auto& folder : output_folders(arguments.folder, plan.modalities))
        std::filesystem::remove(folder / (files.id + ".nii.gz"));
      const auto one = comodal::prepare_case(files, plan.prepare);
      print_warnings(one.warnings);
      if (const std::string words = comodal::spacing_warning(one.preparation.canonical(), plan.spacing); !words.empty())
        std::fprintf(stderr, "warning: %s: %s\n", one.id.c_str(), words.c_str());
      for (const auto& result :
           comodal::predict_case<backend>(on.tape, plan, one, {true, arguments.branches, arguments.only}, windows,
                                          [&](const auto& volumes, const auto& present, auto which) {
                                            return network.forward(volumes, present, which);
                                          })) {
        const path folder = arguments.folder / folder_of(result.name);
        std::filesystem::create_directories(folder);
        comodal::write_nifti_labels(folder / (one.id + ".nii.gz"), comodal::restore(result.labels, one.preparation),
                                    one.header);
        if (std::find(outputs.begin(), outputs.end(), result.name) == outputs.end()) outputs.push_back(result.name);
      }
      written.push_back(one.id);
    } catch (const comodal::device_error&) {
      throw;  // memory that is short here is short for the next case, too
    } catch (const comodal::io_error& failure) {
      failed(failure.what());  // names its file
    } catch (const comodal::error& failure) {
      failed(text(files.id, ": ", failure.what()));
    }
    if (terminal) std::fprintf(stderr, "%zu of %zu cases ", ++done, cases.size());
  }
  if (terminal) std::fputs("\r\033[K", stderr);

  write_description(arguments.folder, arguments.model, plan, outputs, written);
  if (!failures.empty()) throw comodal::io_error(failures);
  std::printf("%s: %zu cases, outputs:", arguments.folder.c_str(), cases.size());
  for (const auto& name : outputs) std::printf(" %s%s", name.c_str(), &name == &outputs.back() ? "\n" : ",");
  return 0;
}

int info(const path& model) {
  if (model.empty()) {
    const comodal::runtime scope;
    std::printf("comodal %s\nKokkos %s, default space %s\nhost threads %d\n", COMODAL_VERSION,
                comodal::kokkos_version().c_str(), comodal::default_space::name(), comodal::host_threads());
#if defined(COMODAL_ENABLE_ONEDNN)
    const auto* v = dnnl_version();
    std::printf("oneDNN %d.%d.%d\n", v->major, v->minor, v->patch);
#else
    std::printf("oneDNN: not compiled in\n");
#endif
#if defined(COMODAL_ARCH_NAME)
    std::printf("instruction set: -march=%s\n", COMODAL_ARCH_NAME);
#else
    std::printf("instruction set: the compiler's default\n");
#endif
    print_bfloat16_engine();
    return 0;
  }
  const auto content = comodal::read_model_file(model);
  const auto plan = comodal::plan_of(content, model);
  comodal::index parameters = 0;
  for (const auto& [name, array] : content.arrays)
    if (name.starts_with(plan.predictors.at(0) + "/") && name.find("/optimiser.") == std::string::npos)
      parameters += array.shape.size();
  std::printf("%s: %s after %u steps, seed %llu, %ld parameters, %s\nmodalities:", model.c_str(), plan.method.c_str(),
              plan.steps, static_cast<unsigned long long>(plan.seed), static_cast<long>(parameters),
              plan.network.precision.c_str());
  for (const auto& name : plan.modalities) std::printf(" %s", name.c_str());
  std::printf("\nlabels:");
  for (const auto& c : plan.labels) {
    std::printf(" %s (", c.name.c_str());
    for (const int v : c.values) std::printf("%s%d", v == c.values[0] ? "" : ", ", v);
    std::printf(")");
  }
  std::printf("\nplan: %s\n", comodal::to_json(plan).c_str());
  print_engines(plan);
  return 0;
}

}  // namespace cli
