// SPDX-License-Identifier: Apache-2.0
/// @file
/// The training loop: batches made ahead, a method's step, an update, logs, validation and checkpoints from which a run
/// goes on bit for bit.
#ifndef COMODAL_TRAIN_TRAINER_HPP
#define COMODAL_TRAIN_TRAINER_HPP

#include <comodal/data/batch_maker.hpp>
#include <comodal/data/prefetch.hpp>
#include <comodal/model/model_file.hpp>
#include <comodal/ssl/any_method.hpp>
#include <comodal/train/log.hpp>
#include <comodal/train/optimiser.hpp>
#include <comodal/train/train_options.hpp>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Trains a method. All of a run's files are in one folder: `checkpoint.safetensors` (to resume), `model.safetensors`
/// (the result, the last weights), `best.safetensors` (best on validation, if there is one), `log.csv`, `log.jsonl`.
template <tensor_backend Backend, class Maker = batch_maker<>>
class trainer {
 public:
  /// Called between steps; what it returns is written to the log under "validation." and the name; the first value is
  /// the one that "best" means.
  using validate_function = std::function<std::vector<std::pair<std::string, double>>()>;
  /// Called at fixed points of the run when crops are to be centred by the teacher: a coarse mask for every unlabelled
  /// case.
  using guide_function = std::function<std::vector<label_volume>()>;

  /// @param plan is written into the files; it names modalities and labels
  /// @param folder is made unless it exists
  /// @throws config_error for options or a plan that make no sense, io_error if the folder cannot be made
  trainer(any_method<Backend>& method, const optimiser_options& optimiser, Maker& maker,
          const prefetch_options& prefetch, const train_options& options, model_plan plan, std::filesystem::path folder)
      : m_method(&method),
        m_optimiser_options(optimiser),
        m_optimiser(make_optimiser<Backend>(optimiser)),
        m_maker(&maker),
        m_prefetch(prefetch),
        m_options(options),
        m_plan(std::move(plan)),
        m_folder(std::move(folder)) {
    check(options);
    refuse_unreadable_plan();
    std::error_code failure;
    std::filesystem::create_directories(m_folder, failure);
    if (failure || !std::filesystem::is_directory(m_folder))
      throw io_error(text(m_folder.string(), ": the folder of the run cannot be made",
                          failure ? ": " + failure.message() : ": a file stands in its place"));
  }

  validate_function validate;
  guide_function guide;

  [[nodiscard]] std::filesystem::path checkpoint_file() const { return m_folder / "checkpoint.safetensors"; }

  /// Goes back to the state of a checkpoint. @throws io_error if it is damaged, or belongs to another network or run
  /// length
  void resume(const std::filesystem::path& file) {
    const safetensors_file content = read_safetensors(file);
    const auto entry = [&](const std::string& name) {
      const auto found = content.metadata.find(name);
      if (found == content.metadata.end())
        throw io_error(text(file.string(), ": is no checkpoint (it has no ", name, ")"));
      return whole_number(file, *found);
    };
    if (entry("comodal.steps") != m_options.steps || entry("comodal.seed") != m_options.seed)
      throw io_error(text(file.string(), ": belongs to a run of ", entry("comodal.steps"), " steps with seed ",
                          entry("comodal.seed"), ", this one has ", m_options.steps, " and ", m_options.seed,
                          "; use the same settings or another folder"));
    const index step = entry("comodal.step");
    if (step < 0 || step > m_options.steps)
      throw io_error(text(file.string(), ": comodal.step = ", step, " of ", m_options.steps, "; the file is damaged"));
    m_step = static_cast<std::uint32_t>(step);
    load_parameters(m_method->parameters(), "student.", content);
    load_parameters(m_method->averaged(), "ema.", content);
    m_optimiser.load(m_method->parameters(), content);
    m_method->load(content);
    if (const auto found = content.metadata.find("comodal.best"); found != content.metadata.end())
      m_best = hexadecimal_number(file, *found);
    load_guides(file, content);
  }

  /// Trains to the end, or until `stop()` says so between two steps; then a checkpoint is written and `finished` is
  /// false.
  /// @throws error if loss or gradient are no longer numbers; the last checkpoint is from before
  train_result run(const std::function<bool()>& stop = [] { return false; }) {
    const auto start = std::chrono::steady_clock::now();
    const auto steps = static_cast<std::uint32_t>(m_options.steps);
    training_log log(m_folder, m_step);
    progress_line line(m_step, steps);
    prefetcher<Maker> batches(*m_maker, m_step, m_prefetch);
    train_result result;
    result.first_step = m_step;
    variable<Backend> loss, norm;  // of the last step; norm: (norm of the gradient, factor that clipped it)

    while (m_step < steps) {
      if (stop()) {
        line.clear();
        refuse_divergence(loss, norm);
        save_checkpoint();
        result.steps_done = m_step;
        result.seconds = seconds_since(start);
        result.best_validation = m_best;
        return result;
      }
      if (guide && is_guide_step(m_step)) batches.between_steps([&] { set_guides(guide()); });
      auto batch = batches.next();
      const progress at{m_step, steps};
      const double rate = learning_rate(m_optimiser_options, m_step, steps);
      m_method->parameters().zero_grad();
      const auto values = step(batch, at);
      loss = detach(loss_of(values));
      norm = m_optimiser.update(m_method->parameters(), rate, m_step);
      m_method->after_update(at);
      batches.recycle(std::move(batch));
      ++m_step;

      const bool logs = m_step % m_options.log_every == 0 || m_step == steps,
                 saves = m_step % m_options.checkpoint_every == 0 || m_step == steps;
      if (logs) {
        const log_row row = row_of(rate, values, norm);
        result.last_loss = value_of(row, "loss");
        refuse_divergence(result.last_loss, row.values.back().second);
        result.logged = true;
        log.write(row);
        line.show(m_step, result.last_loss, rate);
      } else if (saves) {
        refuse_divergence(loss, norm);
      }
      if (validate && m_options.validate_every > 0 && (m_step % m_options.validate_every == 0 || m_step == steps))
        validate_now(log, line);
      if (saves) save_checkpoint();
    }
    line.clear();
    save_model(m_folder / "model.safetensors");
    result.steps_done = m_step;
    result.finished = true;
    result.seconds = seconds_since(start);
    result.best_validation = m_best;
    return result;
  }

 private:
  static double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  // A step that throws leaves nothing on the tape.
  named_scalars<Backend> step(const step_batch& batch, const progress& at) {
    try {
      return m_method->step(batch, at);
    } catch (...) {
      m_method->parameters().home().clear();
      throw;
    }
  }

  void refuse_unreadable_plan() const {
    if (m_plan.modalities.empty())
      throw config_error("trainer: the plan names no modality; fill in model_plan::modalities");
    if (m_plan.labels.size() < 2)
      throw config_error(text("trainer: the plan has ", m_plan.labels.size(),
                              " labels, expected the background and at least one more; fill in model_plan::labels"));
    safetensors_file file;  // whatever else a reader of the model will refuse
    file.metadata["comodal.plan"] = to_json(m_plan);
    try {
      (void)plan_of(file, "the plan");
    } catch (const io_error& failure) {
      throw config_error(text("trainer: a model with this plan could not be read: ", failure.what()));
    }
  }

  using metadata_entry = std::pair<const std::string, std::string>;

  static index whole_number(const std::filesystem::path& file, const metadata_entry& entry) {
    const auto& [name, words] = entry;
    index value = 0;
    const auto [end, failure] = std::from_chars(words.data(), words.data() + words.size(), value);
    if (failure != std::errc() || end != words.data() + words.size())
      throw io_error(text(file.string(), ": ", name, " = '", words, "', expected a whole number; the file is damaged"));
    return value;
  }
  // As std::hexfloat writes it: 0x1.8p-1.
  static double hexadecimal_number(const std::filesystem::path& file, const metadata_entry& entry) {
    const auto& [name, words] = entry;
    const std::string digits = words.rfind("0x", 0) == 0 ? words.substr(2) : "";
    double value = 0;
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::hex);
    if (failure != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value))
      throw io_error(
          text(file.string(), ": ", name, " = '", words, "', expected a hexadecimal number; the file is damaged"));
    return value;
  }

  // What is logged of the last step, read from the device at once; the gradient's norm comes last.
  log_row row_of(double rate, const named_scalars<Backend>& values, const variable<Backend>& norm) const {
    std::vector<variable<Backend>> scalars;
    for (const auto& [name, value] : values) scalars.push_back(value);
    scalars.push_back(slice(norm, 0, 0, 1));
    const auto numbers = items(scalars);
    log_row row{m_step - 1, {{"rate", rate}}};
    for (std::size_t i = 0; i < values.size(); ++i) row.values.emplace_back(values[i].first, numbers[i]);
    row.values.emplace_back("gradient_norm", numbers.back());
    return row;
  }

  static double value_of(const log_row& row, std::string_view name) {
    for (const auto& [key, value] : row.values)
      if (key == name) return value;
    return std::nan("");
  }

  // A gradient that is not finite has gone into the weights: they must not take the place of good ones.
  void refuse_divergence(const variable<Backend>& loss, const variable<Backend>& norm) const {
    if (!loss) return;  // no step yet
    const auto numbers = items<Backend>({loss, slice(norm, 0, 0, 1)});
    refuse_divergence(numbers[0], numbers[1]);
  }
  void refuse_divergence(double value, double length) const {
    if (!std::isfinite(value) || !std::isfinite(length))
      throw error(text("the loss is ", value, " and the gradient's norm ", length, " at step ", m_step - 1,
                       "; lower optimiser.rate, or look for broken images with `comodal check`"));
  }

  // From two fifths of the run on, at five points.
  [[nodiscard]] bool is_guide_step(std::uint32_t step) const {
    const auto steps = static_cast<std::uint32_t>(m_options.steps);
    for (std::uint32_t k = 4; k < 9; ++k)
      if (step == steps * k / 10) return true;
    return false;
  }

  void set_guides(std::vector<label_volume> masks) {
    m_guides = std::move(masks);
    for (std::size_t i = 0; i < m_guides.size(); ++i) m_maker->set_guide(static_cast<std::uint32_t>(i), m_guides[i]);
  }

  void load_guides(const std::filesystem::path& file, const safetensors_file& content) {
    std::vector<label_volume> masks;
    for (std::size_t i = 0;; ++i) {
      const auto found = content.arrays.find(text("guide.", i));
      if (found == content.arrays.end()) break;
      const shape& s = found->second.shape;
      if (s.rank() != 3)
        throw io_error(text(file.string(), ": array '", found->first, "' is ", s.to_string(),
                            ", expected three axes; the file is damaged"));
      label_volume mask;
      mask.geometry.size = {s[2], s[1], s[0]};
      mask.values = found->second.template values<std::uint8_t>(found->first);
      masks.push_back(std::move(mask));
    }
    if (!masks.empty()) set_guides(std::move(masks));
  }

  void validate_now(training_log& log, progress_line& line) {
    line.clear();
    log_row row{m_step - 1, {}};
    const auto scores = validate();
    for (const auto& [name, value] : scores) row.values.emplace_back("validation." + name, value);
    log.write(row);
    if (!scores.empty() && scores[0].second > m_best) {
      m_best = scores[0].second;
      save_model(m_folder / "best.safetensors");
    }
  }

  [[nodiscard]] safetensors_file weights() const {
    safetensors_file file;
    save_parameters(m_method->parameters(), "student.", file);
    save_parameters(m_method->averaged(), "ema.", file);
    model_plan plan = m_plan;
    plan.steps = m_step;
    file.metadata["comodal.plan"] = to_json(plan);
    return file;
  }
  void save_model(const std::filesystem::path& file) const { write_safetensors(file, weights()); }

  void save_checkpoint() const {
    safetensors_file file = weights();
    m_optimiser.save(m_method->parameters(), file);
    m_method->save(file);
    for (std::size_t i = 0; i < m_guides.size(); ++i) {
      const auto& size = m_guides[i].geometry.size;
      file.arrays[text("guide.", i)] = named_array::of(shape{size[2], size[1], size[0]}, m_guides[i].values);
    }
    file.metadata["comodal.step"] = std::to_string(m_step);
    file.metadata["comodal.steps"] = std::to_string(m_options.steps);
    file.metadata["comodal.seed"] = std::to_string(m_options.seed);
    if (m_best >= 0) file.metadata["comodal.best"] = text(std::hexfloat, m_best);
    write_safetensors(checkpoint_file(), file);
  }

  any_method<Backend>* m_method;
  optimiser_options m_optimiser_options;
  any_optimiser<Backend> m_optimiser;
  Maker* m_maker;
  prefetch_options m_prefetch;
  train_options m_options;
  model_plan m_plan;
  std::filesystem::path m_folder;
  std::uint32_t m_step = 0;
  double m_best = -1;
  std::vector<label_volume> m_guides;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
