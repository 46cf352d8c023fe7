// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a semi-supervised method is: it makes gradients from a batch, follows each update, and predicts.
#ifndef COMODAL_SSL_METHOD_HPP
#define COMODAL_SSL_METHOD_HPP

#include <comodal/core/ladder.hpp>
#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/nn/averaging.hpp>
#include <comodal/nn/state.hpp>
#include <comodal/ssl/targets.hpp>

#include <cmath>
#include <map>

namespace comodal::inline COMODAL_CONFIG {

/// Values of one step by name; they stay on the device until somebody reads them.
template <tensor_backend Backend>
using named_scalars = std::vector<std::pair<std::string, variable<Backend>>>;

/// The value that a method calls its loss, wherever it stands in the list. @throws error if there is none
template <tensor_backend Backend>
[[nodiscard]] const variable<Backend>& loss_of(const named_scalars<Backend>& values) {
  std::string names;
  for (const auto& [name, value] : values) {
    if (name == "loss" && value) return value;
    names += (names.empty() ? "" : ", ") + name + (value ? "" : " (empty)");
  }
  throw error(text("the method's step() returned no value named 'loss' (it returned ",
                   names.empty() ? "nothing" : names, "); a semi_supervised_method names its loss so"));
}

/// Which weights predict: the averaged ones (teacher) or the trained ones (student).
enum class prediction_weights { ema, student };

/// A type that learns from batches:
///  - `step(batch, at)`: runs the network, leaves gradients in `parameters()`, returns named scalars, `loss` among
///  them;
///  - `after_update(at)`: follows an update of the parameters (averages, queues);
///  - `predict(volumes, present, weights, outputs)`: logits without gradients;
///  - `parameters()`: what the optimiser changes; `save(file)`, `load(file)`: everything else a resumed run needs.
template <class T, class Backend>
concept semi_supervised_method =
    requires(T& method, const T& fixed, const step_batch& batch, const progress& at,
             const std::vector<variable<Backend>>& volumes, const presence<Backend>& present, safetensors_file& file,
             const safetensors_file& read) {
      { method.step(batch, at) } -> std::same_as<named_scalars<Backend>>;
      method.after_update(at);
      {
        fixed.predict(volumes, present, prediction_weights::ema, network_outputs::all)
      } -> std::same_as<network_output<Backend>>;
      { fixed.parameters() } -> std::same_as<const parameter_store<Backend>&>;
      { fixed.averaged() } -> std::same_as<const parameter_store<Backend>&>;
      fixed.save(file);
      method.load(read);
    };

/// Says in plain words which member of a method is missing.
template <class T, tensor_backend Backend>
constexpr void check_semi_supervised_method() {
  if constexpr (!requires(T& m, const step_batch& b, const progress& at) { m.step(b, at); })
    static_assert(
        detail::never<T>,
        "comodal: a semi_supervised_method needs a member step(const step_batch&, const progress&) that returns "
        "named_scalars<Backend>");
  else if constexpr (!requires(T& m, const progress& at) { m.after_update(at); })
    static_assert(detail::never<T>, "comodal: a semi_supervised_method needs a member after_update(const progress&)");
  else if constexpr (!requires(const T& m, const std::vector<variable<Backend>>& v, const presence<Backend>& p) {
                       m.predict(v, p, prediction_weights::ema, network_outputs::all);
                     })
    static_assert(detail::never<T>,
                  "comodal: a semi_supervised_method needs a member predict(volumes, present, weights, outputs) const "
                  "that returns "
                  "network_output<Backend>");
  else if constexpr (!requires(const T& m) { m.parameters(); })
    static_assert(
        detail::never<T>,
        "comodal: a semi_supervised_method needs a member parameters() const: the parameters that are trained");
  else if constexpr (!requires(const T& m) { m.averaged(); })
    static_assert(detail::never<T>,
                  "comodal: a semi_supervised_method needs a member averaged() const: their moving averages");
  else if constexpr (!requires(const T& m, safetensors_file& f) { m.save(f); })
    static_assert(detail::never<T>, "comodal: a semi_supervised_method needs a member save(safetensors_file&) const");
  else if constexpr (!requires(T& m, const safetensors_file& f) { m.load(f); })
    static_assert(detail::never<T>, "comodal: a semi_supervised_method needs a member load(const safetensors_file&)");
  else if constexpr (!semi_supervised_method<T, Backend>)
    static_assert(detail::never<T>,
                  "comodal: a member of this semi_supervised_method has another return type than the concept asks for");
}

/// The numbers of all methods, with method.md's defaults.
struct method_options {
  std::string name = "contrastive_mutual_learning";  // or supervised, mean_teacher
  double branch_weight = 0.5;                        // of the branches' losses beside the fused one's
  double ema = 0.99;                                 // decay of the averaged weights
  double ramp = 0.4;                                 // fraction of the run over which unlabelled terms rise
  // Contrastive mutual learning
  double consensus = 0.5;                // weight of the consensus with the teacher
  double contrast = 0.1;                 // weight of the contrast between modalities
  double temperature = 0.1;              // of the contrast
  index queue = 32;                      // maps of earlier steps that serve as negatives
  index pool = 4;                        // voxels per axis that the contrasted maps average
  std::string similarity = "soft_dice";  // or cosine, iou
  double sharpen = 0.5;                  // temperature of the teacher's target
  double counted_voxels =
      32;  // target mass in voxels from which a class counts in a crop's Dice; fewer where voxels are large
  std::string confidence = "soft";   // or threshold
  double threshold = 0.8;            // of the confidence, where it is chosen
  std::string agreement = "none";    // or mse: pairs of branches, squared error of probabilities
  std::string target = "consensus";  // or cps: hard labels of the partner branches (ablation)
  bool reliability = true;           // branches learn from better ones; false: all pairs weigh 1
  // Mean Teacher
  double consistency = 0.1;  // weight of the squared error to the teacher
};

/// Calls `visit(name, reference)` for every option; names are keys of the table `method` of an experiment file.
template <class Options, class Visit>
void visit_method_options(Options& o, Visit&& visit) {
  const auto option = [&](std::string_view name, auto& value) { visit(name, value); };
  option("name", o.name);
  option("branch_weight", o.branch_weight);
  option("ema", o.ema);
  option("ramp", o.ramp);
  option("consensus", o.consensus);
  option("contrast", o.contrast);
  option("temperature", o.temperature);
  option("queue", o.queue);
  option("pool", o.pool);
  option("similarity", o.similarity);
  option("sharpen", o.sharpen);
  option("counted_voxels", o.counted_voxels);
  option("confidence", o.confidence);
  option("threshold", o.threshold);
  option("agreement", o.agreement);
  option("target", o.target);
  option("reliability", o.reliability);
  option("consistency", o.consistency);
}

/// @throws config_error naming the key of a number that makes no sense; NaN and infinities make none. Names are checked
/// by the methods that know them.
inline void check(const method_options& o) {
  const auto fraction = [](std::string_view key, double value) {
    expect_option(value >= 0 && value <= 1, text("method.", key), value, "0 to 1");
  };
  const auto not_negative = [](std::string_view key, double value) {
    expect_option(value >= 0 && std::isfinite(value), text("method.", key), value, "a finite number, 0 or more");
  };
  const auto positive = [](std::string_view key, double value) {
    expect_option(value > 0 && std::isfinite(value), text("method.", key), value, "a finite number above 0");
  };
  not_negative("branch_weight", o.branch_weight);
  expect_option(o.ema >= 0 && o.ema < 1, "method.ema", o.ema, "0 or more and less than 1");
  fraction("ramp", o.ramp);
  not_negative("consensus", o.consensus);
  not_negative("contrast", o.contrast);
  positive("temperature", o.temperature);
  expect_option(o.queue >= 0, "method.queue", o.queue, "0 or more");
  expect_option(o.pool >= 1, "method.pool", o.pool, "1 or more");
  positive("sharpen", o.sharpen);
  not_negative("counted_voxels", o.counted_voxels);
  fraction("threshold", o.threshold);
  not_negative("consistency", o.consistency);
}

/// A student that is trained and a teacher that is its moving average: what all methods here share.
template <tensor_backend Backend, class Network>
class student_and_teacher {
 public:
  /// @param student, teacher built alike; the teacher starts as a copy
  /// @throws config_error for options that make no sense
  student_and_teacher(Network student, Network teacher, const target_map& targets, const method_options& options)
      : m_student(std::move(student)),
        m_teacher(std::move(teacher)),
        m_targets(targets),
        m_options(options),
        m_loss{1, 1, 1, targets.kind} {
    check_segmentation_network<Network, Backend>();
    check(m_options);
    copy_parameters(m_student.parameters(), m_teacher.parameters());
  }

  [[nodiscard]] const parameter_store<Backend>& parameters() const { return m_student.parameters(); }
  [[nodiscard]] const parameter_store<Backend>& averaged() const { return m_teacher.parameters(); }
  [[nodiscard]] const method_options& options() const { return m_options; }

  void after_update(const progress& at) {
    average_parameters(m_student.parameters(), m_teacher.parameters(), ema_factor(at.step, m_options.ema));
  }

  [[nodiscard]] network_output<Backend> predict(const std::vector<variable<Backend>>& volumes,
                                                const presence<Backend>& present, prediction_weights weights,
                                                network_outputs outputs) const {
    const no_grad_scope<Backend> quiet(home());
    return (weights == prediction_weights::ema ? m_teacher : m_student).forward(volumes, present, outputs);
  }

  void save(safetensors_file&) const {}
  void load(const safetensors_file&) {}

 protected:
  [[nodiscard]] tape<Backend>& home() const { return m_student.parameters().home(); }
  [[nodiscard]] context<Backend>& ctx() const { return home().ctx(); }

  /// A constant (N) of numbers on the host.
  [[nodiscard]] variable<Backend> sample_weights(const std::vector<double>& values) const {
    using T = typename Backend::scalar_type;
    return home().constant({static_cast<index>(values.size())}, std::vector<T>(values.begin(), values.end()));
  }
  /// sum_n weights[n] losses[n].
  [[nodiscard]] static variable<Backend> weighted(const variable<Backend>& losses, const variable<Backend>& weights) {
    return sum(multiply(losses, weights));
  }

  /// The fused output's loss a sample with the coarser outputs of deep supervision: weights 1, 1/2, 1/4 ... brought to
  /// a sum of 1, targets and weights averaged over blocks. Without deep supervision, `finest` itself.
  [[nodiscard]] variable<Backend> deeply_supervised(const variable<Backend>& finest,
                                                    const std::vector<variable<Backend>>& deep,
                                                    const variable<Backend>& target,
                                                    const variable<Backend>& weight = {},
                                                    const variable<Backend>& counts = {}) const {
    if (deep.empty()) return finest;
    auto total = finest;
    double factor = 1, all = 1;
    for (const auto& z : deep) {
      extent3 window{};
      for (std::size_t a = 0; a < 3; ++a)
        window[a] = target.extent(static_cast<int>(a) + 1) / z.extent(static_cast<int>(a) + 1);
      const auto y = average_pool3d(target, window);
      variable<Backend> w;
      if (weight)
        w = average_pool3d(reshape(weight, {target.extent(0), target.extent(1), target.extent(2), target.extent(3), 1}),
                           window);
      factor /= 2;
      all += factor;
      total = add(total, scale(m_loss(z, y, w, counts), factor));
    }
    return scale(total, 1 / all);
  }

  /// L = sum_n w_n l_f,n + branch_weight sum_m sum_n w_n r_nm / |P_n| l_m,n, from losses a sample (method.md section
  /// 3).
  [[nodiscard]] variable<Backend> fused_and_branches(const variable<Backend>& fused,
                                                     const std::vector<variable<Backend>>& branches,
                                                     const presence<Backend>& present,
                                                     const variable<Backend>& weights) const {
    auto total = weighted(fused, weights);
    for (std::size_t m = 0; m < branches.size(); ++m) {
      const auto share =
          reshape(slice(present.share(), 1, static_cast<index>(m), static_cast<index>(m) + 1), {present.samples()});
      total = add(total, scale(weighted(branches[m], multiply(weights, share)), m_options.branch_weight));
    }
    return total;
  }

  Network m_student, m_teacher;
  target_map m_targets;
  method_options m_options;
  dice_cross_entropy m_loss;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
