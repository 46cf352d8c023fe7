// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a training step is made from (cases in memory, and the options that say how crops are drawn) and what it gets:
/// crops of labelled cases, and the weak and strong views of crops of unlabelled ones.
#ifndef COMODAL_DATA_BATCH_HPP
#define COMODAL_DATA_BATCH_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/random.hpp>
#include <comodal/data/volume_view.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

struct stored_images;
struct stored_label;

/// A case with its label map. A view that does not own its memory must not outlive it.
struct labelled_training_case {
  std::string id;
  std::vector<volume_view> images;  // float; one per modality, empty where absent; canonical, normalised, one grid
  volume_view label;                // uint8, on the same grid
  /// By channel of the targets, 0 or 1: the classes that are annotated. Empty: all. A voxel of label 0 is then
  /// background or of a class that is not.
  std::vector<float> annotated{};
  /// The label value of voxels that nobody looked at: crops are not drawn around them, and no class has it, so that
  /// their targets are 0 in all channels and they weigh nothing.
  std::optional<int> ignored{};
  /// Where the volumes are not in memory: then `images` and `label` are empty (stored_case.hpp).
  std::shared_ptr<const stored_images> stored{};
  std::shared_ptr<const stored_label> label_stored{};
};

/// A case without a label: this type has no place for one, so no crop of it can depend on one.
struct unlabelled_training_case {
  std::string id;
  std::vector<volume_view> images;
  std::shared_ptr<const stored_images> stored{};  // where they are not in memory: then `images` is empty
};

/// Crops of several samples. Every crop is row-major (D, H, W): W is NIfTI's i axis.
struct crop_batch {
  extent3 size{};                          // D, H, W in voxels
  index samples = 0;                       // N
  index modalities = 0;                    // M
  std::vector<std::vector<float>> images;  // M times (N, D, H, W); zeros where the modality is absent
  std::vector<float> present;              // (N, M), 0 or 1; at least one 1 a row
  std::vector<std::uint8_t> labels;        // (N, D, H, W), or empty
  std::vector<std::uint8_t>
      known;  // (N, D, H, W), 1 where `labels` holds a true label; empty if labels are known everywhere or nowhere
  std::vector<std::uint32_t> cases;  // (N), the case of each sample
  std::vector<std::uint8_t> box;     // (N, D, H, W), 1 in a random box per crop; empty unless `batch_views` asks for it
  std::map<std::string, std::vector<float>> fields;  // each (N, D, H, W); see `crop_field`
  std::vector<float> annotated;  // (N, channels of the targets), 0 or 1: the classes that are; empty: all of all crops

  /// Voxels of one crop.
  [[nodiscard]] index voxels() const { return size[0] * size[1] * size[2]; }
  /// One crop of one modality, (D, H, W).
  [[nodiscard]] std::span<float> image(index sample, index modality) {
    return part(images[static_cast<std::size_t>(modality)], sample);
  }
  [[nodiscard]] std::span<const float> image(index sample, index modality) const {
    return part(images[static_cast<std::size_t>(modality)], sample);
  }
  /// The labels of one crop, (D, H, W).
  [[nodiscard]] std::span<std::uint8_t> label(index sample) { return part(labels, sample); }
  [[nodiscard]] std::span<const std::uint8_t> label(index sample) const { return part(labels, sample); }
  /// Where the labels of one crop are true, (D, H, W).
  [[nodiscard]] std::span<std::uint8_t> known_label(index sample) { return part(known, sample); }
  [[nodiscard]] std::span<const std::uint8_t> known_label(index sample) const { return part(known, sample); }
  /// True if all classes are annotated in a crop.
  [[nodiscard]] bool fully_annotated(index sample) const {
    if (annotated.empty()) return true;
    const std::size_t channels = annotated.size() / static_cast<std::size_t>(samples);
    const auto row = std::span(annotated).subspan(static_cast<std::size_t>(sample) * channels, channels);
    return std::find(row.begin(), row.end(), 0.f) == row.end();
  }
  /// Which modalities a sample has, (M).
  [[nodiscard]] std::span<float> presence(index sample) {
    return std::span(present).subspan(static_cast<std::size_t>(sample * modalities),
                                      static_cast<std::size_t>(modalities));
  }
  [[nodiscard]] std::span<const float> presence(index sample) const {
    return std::span(present).subspan(static_cast<std::size_t>(sample * modalities),
                                      static_cast<std::size_t>(modalities));
  }

  /// Sets the sizes of all arrays and keeps their memory; contents are not defined afterwards.
  void resize(index sample_count, index modality_count, const extent3& crop, bool with_labels, bool with_known) {
    size = crop;
    samples = sample_count;
    modalities = modality_count;
    const auto all = static_cast<std::size_t>(samples * voxels());
    images.resize(static_cast<std::size_t>(modalities));
    for (auto& image : images) image.resize(all);
    present.resize(static_cast<std::size_t>(samples * modalities));
    labels.resize(with_labels ? all : 0);
    known.resize(with_known ? all : 0);
    cases.resize(static_cast<std::size_t>(samples));
  }

 private:
  template <class Scalar>
  [[nodiscard]] std::span<Scalar> part(std::vector<Scalar>& values, index sample) const {
    return std::span(values).subspan(static_cast<std::size_t>(sample * voxels()), static_cast<std::size_t>(voxels()));
  }
  template <class Scalar>
  [[nodiscard]] std::span<const Scalar> part(const std::vector<Scalar>& values, index sample) const {
    return std::span(values).subspan(static_cast<std::size_t>(sample * voxels()), static_cast<std::size_t>(voxels()));
  }
};

/// Everything that one training step gets. `weak` and `strong` show the same voxels of the same crops: the weak view is
/// for the teacher, the strong one for the student.
struct step_batch {
  std::uint32_t step = 0;
  crop_batch labelled;  // strong intensities, modality dropout; labels everywhere
  crop_batch weak;      // no labels; modalities as recorded
  crop_batch strong;    // modality dropout; labels where a labelled crop was mixed in, if mixing is on
  std::map<std::string, crop_batch> more;  // further views that `batch_views` asks for: "labelled_weak", "strong_2" ...
};

/// Where crops of unlabelled cases are centred: anywhere, or half of them on what the teacher found (see
/// `batch_maker::set_guide`).
enum class unlabelled_sampling { uniform, teacher };
/// What replaces a part of a strong unlabelled crop: nothing, or a box of a labelled crop.
enum class mix_mode { none, box };

/// Names of the values of an option that is a choice, in the order of the enumeration.
[[nodiscard]] constexpr std::array<std::string_view, 2> choice_names(unlabelled_sampling) {
  return {"uniform", "teacher"};
}
[[nodiscard]] constexpr std::array<std::string_view, 2> choice_names(mix_mode) { return {"none", "box"}; }

/// How the crops of a step are drawn; `visit_batch_options` says what each option is. Triples are (D, H, W); pairs are
/// ranges from which each crop draws uniformly; a chance is a probability in [0, 1]. Intensities are those of the
/// normalised volumes.
struct batch_options {
  using range = std::array<double, 2>;

  extent3 patch_size{32, 96, 96};
  index labelled = 2, unlabelled = 2;

  double foreground = 0.5;
  unlabelled_sampling centre = unlabelled_sampling::uniform;
  double guided = 0.5;
  double jitter = 0.25;

  std::array<bool, 3> mirror{false, true, true};
  std::array<bool, 3> resampled_axes{true, true, true};
  bool joint = false;
  double mirror_chance = 0.5;
  std::array<double, 3> rotation_degrees{15, 0,
                                         0};  // largest rotation about each axis: here in the plane of the slices
  double rotation_chance = 1;
  range scale{0.85, 1.2};
  double scale_chance = 1;

  range weak_gain{0.9, 1.1}, weak_shift{-0.1, 0.1};
  range strong_gain{0.7, 1.4}, strong_shift{-0.4, 0.4};
  range log_gamma{-0.4, 0.4};
  double gamma_chance = 0.3;
  range noise{0, 0.2};
  double noise_chance = 0.3;
  range blur{0.5, 1};
  double blur_chance = 0.2;
  // What follows is off by default. Factors and exponents lie below 1 as often as above. With `joint`, blur and low
  // resolution change a share of the modalities of a crop.
  double blur_share = 1;
  range brightness{0.75, 1.25};
  double brightness_chance = 0;
  range contrast{0.75, 1.25};
  double contrast_chance = 0;
  range low_resolution{0.5, 1};
  double low_resolution_chance = 0, low_resolution_share = 1;
  range retained_gamma{0.7, 1.5};
  double inverted_gamma_chance = 0, retained_gamma_chance = 0;
  range elastic_distance{24, 48};
  range elastic_part{0.1, 0.3};
  double elastic_chance = 0;
  range bias{0.1, 0.3};
  double bias_chance = 0;
  range rician{0, 0.1};
  double rician_chance = 0;

  double modality_dropout = 0.5;
  mix_mode mix = mix_mode::box;
  double mix_side = 2.0 / 3;
  double mix_complement = 0.5;
};

/// Calls `visit(name, reference, help)` for every option, in a fixed order. Types: `bool`, `index`, `double`,
/// `std::array`s of `index`, `double` and `bool`, and enumerations with `choice_names`. A name is the dotted key of an
/// experiment file.
template <class Options, class Visit>
void visit_batch_options(Options& o, Visit&& visit) {
  const auto option = [&](std::string_view name, auto& value, std::string_view help) { visit(name, value, help); };
  option("batch.patch_size", o.patch_size,
         "size of a crop in voxels along i, j, k: multiples of the network's total stride");
  option("batch.labelled", o.labelled, "labelled crops per step");
  option("batch.unlabelled", o.unlabelled, "unlabelled crops per step, each of another case");
  option("sampling.foreground", o.foreground, "fraction of labelled crops that are centred on a voxel of a class");
  option("sampling.unlabelled", o.centre,
         "centres of unlabelled crops: uniform, or teacher: partly on what the teacher found");
  option("sampling.guided", o.guided, "with teacher: fraction of unlabelled crops that are centred by its mask");
  option("sampling.jitter", o.jitter, "part of the patch by which a centred crop is moved at most, along each axis");
  option("augment.mirror", o.mirror, "axes i, j, k along which crops may be flipped");
  option("augment.mirror_chance", o.mirror_chance, "chance of a flip for each of these axes");
  option("augment.rotation_degrees", o.rotation_degrees, "largest rotation about the axes i, j, k");
  option("augment.rotation_chance", o.rotation_chance, "chance of a rotation");
  option("augment.scale", o.scale, "range of the magnification; above 1 magnifies");
  option("augment.scale_chance", o.scale_chance, "chance of a magnification");
  option("augment.resampled_axes", o.resampled_axes,
         "axes i, j, k along which crops are magnified and may lose resolution");
  option("augment.weak_gain", o.weak_gain, "range of the factor of intensities in weak views, which the teacher sees");
  option("augment.weak_shift", o.weak_shift, "range of what is added to intensities in weak views");
  option("augment.strong_gain", o.strong_gain,
         "range of the factor of intensities in strong views, which the student sees");
  option("augment.strong_shift", o.strong_shift, "range of what is added to intensities in strong views");
  option("augment.log_gamma", o.log_gamma, "range of the logarithm of the exponent of intensities");
  option("augment.gamma_chance", o.gamma_chance, "chance of such an exponent");
  option("augment.noise", o.noise, "range of the standard deviation of Gaussian noise");
  option("augment.noise_chance", o.noise_chance, "chance of Gaussian noise");
  option("augment.blur", o.blur, "range of the standard deviation of a Gaussian blur, in voxels");
  option("augment.blur_chance", o.blur_chance, "chance of a blur");
  option("augment.joint", o.joint, "true: whether a change happens is drawn once per crop; false: per modality");
  option("augment.blur_share", o.blur_share, "with joint: share of the modalities that a blur changes");
  option("augment.brightness", o.brightness, "range of the factor of intensities; below 1 as often as above");
  option("augment.brightness_chance", o.brightness_chance, "chance of such a factor");
  option("augment.contrast", o.contrast, "range of the factor of the distance to the mean; below 1 as often as above");
  option("augment.contrast_chance", o.contrast_chance, "chance of such a factor");
  option("augment.low_resolution", o.low_resolution,
         "range of the part of the voxels that is kept along each of resampled_axes");
  option("augment.low_resolution_chance", o.low_resolution_chance, "chance of a lower resolution");
  option("augment.low_resolution_share", o.low_resolution_share,
         "with joint: share of the modalities that lose resolution");
  option("augment.retained_gamma", o.retained_gamma, "range of exponents that keep mean and deviation of the crop");
  option("augment.inverted_gamma_chance", o.inverted_gamma_chance,
         "chance of such an exponent of the negative of the crop");
  option("augment.retained_gamma_chance", o.retained_gamma_chance, "chance of such an exponent of the crop itself");
  option("augment.elastic_distance", o.elastic_distance,
         "range of the distance in mm between control points of a smooth displacement");
  option("augment.elastic_part", o.elastic_part, "range of the part of that distance by which they move at most");
  option("augment.elastic_chance", o.elastic_chance, "chance of a smooth displacement, along resampled_axes");
  option("augment.bias", o.bias,
         "range of the largest coefficient of the polynomial whose exponential is a bias field");
  option("augment.bias_chance", o.bias_chance, "chance of a bias field");
  option("augment.rician", o.rician, "range of the standard deviation of Rician noise, as magnitude images have");
  option("augment.rician_chance", o.rician_chance, "chance of Rician noise");
  option("augment.modality_dropout", o.modality_dropout, "chance that a labelled or strong crop loses modalities");
  option("augment.mix", o.mix,
         "box: a box of a labelled crop replaces a part of each strong unlabelled crop; none: nothing does");
  option("augment.mix_side", o.mix_side, "side of the box, as a part of the patch");
  option("augment.mix_complement", o.mix_complement, "chance that everything but the box is replaced");
}

/// Checks that the options make sense. @throws config_error that names the first one that does not
void check(const batch_options& options);
#if COMODAL_BODIES
COMODAL_ONCE void check(const batch_options& options) {
  const auto require = [](bool holds, std::string_view name, const auto& found, std::string_view expected) {
    if (!holds) throw config_error(text(name, " = ", found, ": expected ", expected));
  };
  visit_batch_options(options, [&](std::string_view name, const auto& value, auto) {
    using type = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<type, double>) {
      require(value >= 0 && value <= 1, name, value, "a number from 0 to 1");
    } else if constexpr (std::is_same_v<type, batch_options::range>) {
      require(value[0] <= value[1], name, text("[", value[0], ", ", value[1], "]"), "[low, high], the lower one first");
      require(value[0] > -100 && value[1] < 100, name, text("[", value[0], ", ", value[1], "]"),
              "numbers between -100 and 100");
    } else if constexpr (std::is_same_v<type, extent3>) {
      for (const index v : value) require(v >= 1 && v <= 1024, name, v, "from 1 to 1024 voxels along each axis");
    } else if constexpr (std::is_same_v<type, std::array<double, 3>>) {
      for (const double v : value) require(v >= 0 && v <= 180, name, v, "from 0 to 180 degrees about each axis");
    } else if constexpr (std::is_same_v<type, index>) {
      require(value >= 0 && value <= 4096, name, value, "from 0 to 4096 crops");
    }
  });
  require(options.labelled >= 1, "batch.labelled", options.labelled, "at least 1");
  require(options.jitter <= 0.5, "sampling.jitter", options.jitter, "at most 0.5, so that the voxel stays in its crop");
  require(options.scale[0] >= 0.1, "augment.scale", options.scale[0], "at least 0.1");
  require(options.noise[0] >= 0, "augment.noise", options.noise[0], "no negative number");
  require(options.blur[0] > 0 && options.blur[1] <= 8, "augment.blur",
          text("[", options.blur[0], ", ", options.blur[1], "]"), "standard deviations above 0 and at most 8 voxels");
  const auto require_range = [&](bool holds, std::string_view name, const batch_options::range& found,
                                 std::string_view expected) {
    require(holds, name, text("[", found[0], ", ", found[1], "]"), expected);
  };
  require_range(options.brightness[0] >= 0, "augment.brightness", options.brightness, "no negative factor");
  require_range(options.contrast[0] >= 0, "augment.contrast", options.contrast, "no negative factor");
  require_range(options.low_resolution[0] > 0 && options.low_resolution[1] <= 1, "augment.low_resolution",
                options.low_resolution, "parts above 0 and up to 1");
  require_range(options.retained_gamma[0] >= 0.01, "augment.retained_gamma", options.retained_gamma,
                "exponents of at least 0.01");
  require_range(options.elastic_distance[0] >= 1, "augment.elastic_distance", options.elastic_distance,
                "1 mm at least between control points");
  require_range(options.elastic_part[0] >= 0 && options.elastic_part[1] <= 0.4, "augment.elastic_part",
                options.elastic_part, "parts from 0 to 0.4, beyond which space would fold");
  require_range(options.bias[0] >= 0 && options.bias[1] <= 2, "augment.bias", options.bias, "coefficients from 0 to 2");
  require_range(options.rician[0] >= 0, "augment.rician", options.rician, "no negative number");
  require(options.mix_side > 0, "augment.mix_side", options.mix_side, "more than 0");
}
#endif

namespace detail {

/// The use of a random stream within a purpose, so that no two parts of a batch share numbers.
enum class batch_part : std::uint32_t { labelled, unlabelled, weak, strong, epoch, labelled_weak, further };

/// In the place of a modality: what all modalities of a sample draw alike beside their own streams.
inline constexpr index all_modalities = 255;

/// The stream of one modality (or of all: 0) of one sample of one part of the batch of a step.
[[nodiscard]] inline random_stream batch_stream(std::uint64_t seed, random_purpose purpose, batch_part part,
                                                index sample, std::uint32_t step, index modality = 0) {
  return {seed, purpose,
          static_cast<std::uint32_t>(part) << 24 | static_cast<std::uint32_t>(sample) << 8 |
              static_cast<std::uint32_t>(modality),
          step};
}

}  // namespace detail

}  // namespace comodal::inline COMODAL_CONFIG

#endif
