// SPDX-License-Identifier: Apache-2.0
/// @file
/// The crops of a training step on the back end: sent once per step, in one copy that nobody waits for.
#ifndef COMODAL_SSL_DEVICE_BATCH_HPP
#define COMODAL_SSL_DEVICE_BATCH_HPP

#include <comodal/core/upload.hpp>
#include <comodal/data/batch.hpp>
#include <comodal/model/presence.hpp>

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Numbers of cases on the back end.
template <tensor_backend Backend>
using case_numbers = tensor<std::int64_t, typename Backend::space_type>;

/// One view of a step's crops on the back end: a `crop_batch` whose arrays are all there. Valid until the next batch.
template <tensor_backend Backend>
struct device_crops {
  using bytes = tensor<std::uint8_t, typename Backend::space_type>;

  extent3 size{};                                   // D, H, W in voxels
  index samples = 0, modalities = 0;                // N, M
  std::vector<variable<Backend>> volumes;           // one per modality, (N, D, H, W, 1)
  comodal::presence<Backend> present;               // (N, M)
  bytes labels, known, box;                         // (N, D, H, W), or empty
  std::map<std::string, variable<Backend>> fields;  // each (N, D, H, W)
  variable<Backend> annotated;                      // (N, channels of the targets); empty: all of all crops
  case_numbers<Backend> cases;                      // (N)

  // Views of one batch lie side by side: all volumes, mask and share of these, and which sample is this view's first.
  std::vector<tensor_of<Backend>> all_volumes;
  tensor_of<Backend> all_masks, all_shares;
  index first = 0;

  [[nodiscard]] index voxels() const { return size[0] * size[1] * size[2]; }
};

namespace ssl_detail {

// Where the arrays of a step's crops lie in one block of bytes.
template <tensor_backend Backend>
class batch_layout {
 public:
  using T = typename Backend::scalar_type;

  explicit batch_layout(const step_batch& batch) {
    add("labelled", batch.labelled);
    add("strong", batch.strong);
    add("weak", batch.weak);
    for (const auto& [name, crops] : batch.more) add("more " + name, crops);
    for (group& g : m_groups) {
      const crop_batch& like = *m_views[g.first_view].from;
      for (index m = 0; m < like.modalities; ++m) g.images.push_back(place<T>(g.samples * like.voxels()));
      g.mask = place<T>(g.samples * like.modalities);
      g.share = place<T>(g.samples * like.modalities);
      g.cases = place<std::int64_t>(g.samples);
    }
    for (view& v : m_views) {
      v.labels = place<std::uint8_t>(static_cast<index>(v.from->labels.size()));
      v.known = place<std::uint8_t>(static_cast<index>(v.from->known.size()));
      v.box = place<std::uint8_t>(static_cast<index>(v.from->box.size()));
      for (const auto& [name, values] : v.from->fields) v.fields.push_back(place<T>(static_cast<index>(values.size())));
      v.annotated = place<T>(static_cast<index>(v.from->annotated.size()));
    }
  }

  [[nodiscard]] index bytes() const { return static_cast<index>(m_bytes); }

  /// Writes all arrays to a block. @throws as `presence_values`
  void fill(std::byte* block) const {
    for (const view& v : m_views) {
      const group& g = m_groups[v.in];
      const crop_batch& crops = *v.from;
      for (std::size_t m = 0; m < g.images.size(); ++m)
        write<T>(block, g.images[m], v.first * crops.voxels(), crops.images[m]);
      const presence_values<T> present(crops.samples, crops.modalities, crops.present);
      write<T>(block, g.mask, v.first * crops.modalities, present.mask);
      write<T>(block, g.share, v.first * crops.modalities, present.share);
      write<std::int64_t>(block, g.cases, v.first, crops.cases);
      write<std::uint8_t>(block, v.labels, 0, crops.labels);
      write<std::uint8_t>(block, v.known, 0, crops.known);
      write<std::uint8_t>(block, v.box, 0, crops.box);
      std::size_t k = 0;
      for (const auto& [name, values] : crops.fields) write<T>(block, v.fields[k++], 0, values);
      write<T>(block, v.annotated, 0, crops.annotated);
    }
  }

  /// Calls `take(name, crops)` for every view, as it lies in `block`.
  template <class Take>
  void each_view(tape<Backend>& home, const tensor<std::byte, typename Backend::space_type>& block,
                 const Take& take) const {
    for (const view& v : m_views) take(v.name, crops_of(home, block, v));
  }

 private:
  // Views of one size, side by side, so that their volumes can be joined without a copy.
  struct group {
    std::size_t first_view = 0;
    index samples = 0;
    std::vector<std::size_t> images;
    std::size_t mask = 0, share = 0, cases = 0;
  };
  struct view {
    std::string name;
    const crop_batch* from = nullptr;
    std::size_t in = 0;  // the group
    index first = 0;     // its first sample there
    std::size_t labels = 0, known = 0, box = 0, annotated = 0;
    std::vector<std::size_t> fields;
  };

  void add(std::string name, const crop_batch& crops) {
    if (crops.samples == 0) return;
    const auto belongs = [&](const group& g) {
      const crop_batch& like = *m_views[g.first_view].from;
      return like.size == crops.size && like.modalities == crops.modalities;
    };
    if (m_groups.empty() || !belongs(m_groups.back())) m_groups.push_back({m_views.size(), 0, {}, 0, 0, 0});
    m_views.push_back({std::move(name), &crops, m_groups.size() - 1, m_groups.back().samples, 0, 0, 0, 0, {}});
    m_groups.back().samples += crops.samples;
  }
  template <class Scalar>
  std::size_t place(index count) {
    const std::size_t here = m_bytes;
    m_bytes += (static_cast<std::size_t>(count) * sizeof(Scalar) + 63) / 64 * 64;
    return here;
  }
  template <class Scalar, class From>
  static void write(std::byte* block, std::size_t at, index first, const std::vector<From>& values) {
    auto* const to = reinterpret_cast<Scalar*>(block + at) + first;
    if constexpr (std::is_same_v<Scalar, From>) {
      if (!values.empty()) std::memcpy(to, values.data(), values.size() * sizeof(Scalar));
    } else {
      for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<Scalar>(values[i]);
    }
  }

  [[nodiscard]] device_crops<Backend> crops_of(tape<Backend>& home,
                                               const tensor<std::byte, typename Backend::space_type>& block,
                                               const view& v) const {
    const group& g = m_groups[v.in];
    const crop_batch& from = *v.from;
    device_crops<Backend> to;
    to.size = from.size;
    to.samples = from.samples;
    to.modalities = from.modalities;
    to.first = v.first;
    const auto crops = [&](index n, auto... channels) {
      return shape{n, from.size[0], from.size[1], from.size[2], channels...};
    };
    for (const std::size_t at : g.images) {
      to.all_volumes.push_back(block.template bytes_as<T>(at, crops(g.samples, index{1})));
      to.volumes.push_back(
          home.constant(to.all_volumes.back().part(v.first * from.voxels(), crops(from.samples, index{1}))));
    }
    to.all_masks = block.template bytes_as<T>(g.mask, {g.samples, from.modalities});
    to.all_shares = block.template bytes_as<T>(g.share, {g.samples, from.modalities});
    const auto rows = [&](const tensor_of<Backend>& all) {
      return home.constant(all.part(v.first * from.modalities, {from.samples, from.modalities}));
    };
    to.present = presence<Backend>(rows(to.all_masks), rows(to.all_shares));
    to.cases = block.template bytes_as<std::int64_t>(g.cases, {g.samples}).part(v.first, {from.samples});
    const auto flags = [&](std::size_t at, const std::vector<std::uint8_t>& values) {
      return values.empty() ? typename device_crops<Backend>::bytes{}
                            : block.template bytes_as<std::uint8_t>(at, crops(from.samples));
    };
    to.labels = flags(v.labels, from.labels);
    to.known = flags(v.known, from.known);
    to.box = flags(v.box, from.box);
    std::size_t k = 0;
    for (const auto& [name, values] : from.fields)
      to.fields.emplace(name, home.constant(block.template bytes_as<T>(v.fields[k++], crops(from.samples))));
    if (!from.annotated.empty()) {
      const index channels = static_cast<index>(from.annotated.size()) / from.samples;
      to.annotated = home.constant(block.template bytes_as<T>(v.annotated, shape{from.samples, channels}));
    }
    return to;
  }

  std::vector<group> m_groups;
  std::vector<view> m_views;
  std::size_t m_bytes = 0;
};

// The memory of the crops of one context: the same for every step, unless somebody still holds crops of an earlier one.
template <tensor_backend Backend>
class batch_memory {
 public:
  void send(context<Backend>& ctx, const step_batch& batch, const batch_layout<Backend>& layout) {
    if (m_block.size() != layout.bytes() || !m_block.unique())
      m_block = ctx.template make_of<std::byte>({layout.bytes()});
    m_sent = nullptr;
    m_upload.send(ctx.space(), m_block, [&](std::byte* to) { layout.fill(to); });
    m_sent = &batch;
  }
  /// True, once, for the batch that was sent last.
  [[nodiscard]] bool takes(const step_batch& batch) { return std::exchange(m_sent, nullptr) == &batch; }
  /// What was sent is used up: another batch may come to lie at the same address.
  void forget() { m_sent = nullptr; }
  [[nodiscard]] const tensor<std::byte, typename Backend::space_type>& block() const { return m_block; }

 private:
  tensor<std::byte, typename Backend::space_type> m_block;
  uploader<typename Backend::space_type> m_upload;
  const step_batch* m_sent = nullptr;
};

}  // namespace ssl_detail

/// Sends the crops of a step ahead: the next `device_batch` of the same `step_batch` finds them there. For recorded
/// steps; others need no call. One upload; does not wait. @return where they lie: a recorded step reads them at one
/// place
template <tensor_backend Backend>
const void* upload_batch(tape<Backend>& home, const step_batch& batch) {
  auto& ctx = home.ctx();
  auto& memory = ctx.template kept<ssl_detail::batch_memory<Backend>>();
  memory.send(ctx, batch, ssl_detail::batch_layout<Backend>(batch));
  return memory.block().data();
}

/// What was sent ahead is used by nobody: a later batch may come to lie at the same address on the host.
template <tensor_backend Backend>
void forget_batch(tape<Backend>& home) {
  home.ctx().template kept<ssl_detail::batch_memory<Backend>>().forget();
}

/// All crops of a step on the back end: `labelled`, `strong`, `weak`, and further ones by name, each empty (0 samples)
/// where the method's `views()` do not ask for it. Making one is one upload, which nobody waits for; the memory is that
/// of the batch before.
template <tensor_backend Backend>
class device_batch {
 public:
  /// @throws config_error, shape_error where a mask of modalities makes no sense
  device_batch(tape<Backend>& home, const step_batch& batch) {
    auto& ctx = home.ctx();
    auto& memory = ctx.template kept<ssl_detail::batch_memory<Backend>>();
    const ssl_detail::batch_layout<Backend> layout(batch);
    if (!memory.takes(batch)) {
      memory.send(ctx, batch, layout);
      (void)memory.takes(batch);
    }
    layout.each_view(home, memory.block(), [&](const std::string& name, device_crops<Backend> crops) {
      if (name == "labelled")
        labelled = std::move(crops);
      else if (name == "strong")
        strong = std::move(crops);
      else if (name == "weak")
        weak = std::move(crops);
      else
        more.emplace(name.substr(5), std::move(crops));
    });
    if (ctx.recording())
      ctx.change_and_record([&memory, data = memory.block().data()] {
        memory.forget();
        if (memory.block().data() != data)
          throw error(
              "replay: the batch lies elsewhere than when the step was recorded; keep its sizes, and hold no crops of "
              "an earlier step");
      });
  }

  device_crops<Backend> labelled, strong, weak;
  std::map<std::string, device_crops<Backend>> more;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
