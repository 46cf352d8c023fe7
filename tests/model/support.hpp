// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tiny networks and their inputs for the tests of `model`.
#ifndef COMODAL_TESTS_MODEL_SUPPORT_HPP
#define COMODAL_TESTS_MODEL_SUPPORT_HPP

#include <comodal/loss/segmentation_loss.hpp>
#include <comodal/model/make_network.hpp>

#include <nn/support.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace comodal::tests {

using network = any_network<bench::backend>;

/// Two stages of 2-3 channels a stream and 3-4 fused ones, the slice axis kept.
inline network_options tiny_options(const std::string& fusion = "gated") {
  network_options o;
  o.fusion = fusion;
  o.stream_channels = {2, 3};
  o.fused_channels = {3, 4};
  o.strides = {{2, 2, 1}};
  return o;
}

struct network_bench : bench {
  using B = bench::backend;
  using variables = std::vector<variable<B>>;
  static constexpr index classes = 3;

  [[nodiscard]] network make(const network_options& o, index modalities, std::uint64_t seed = 1) {
    return make_network<B>(home, o, modalities, classes, seed);
  }
  /// Gates of enhancement away from 0, so that modalities do exchange what they see.
  static void open_gates(const network& net) {
    change(net.parameters(), "enhance", [](const std::string& name, std::vector<double>& v) {
      if (name.ends_with("gamma"))
        for (std::size_t i = 0; i < v.size(); ++i) v[i] = 0.7 + 0.2 * static_cast<double>(i);
    });
  }
  /// M volumes (samples, 2, 4, 4, 1); `first` is the modality that the first one shows.
  [[nodiscard]] variables volumes(index samples, index modalities, extent3 size = {2, 4, 4}) {
    variables out;
    for (index m = 0; m < modalities; ++m)
      out.push_back(constant({samples, size[0], size[1], size[2], 1}, static_cast<std::uint32_t>(40 + m)));
    return out;
  }
  [[nodiscard]] presence<B> present(const std::vector<std::vector<float>>& rows) {
    std::vector<float> all;
    for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
    return {home, static_cast<index>(rows.size()), static_cast<index>(rows[0].size()), all};
  }
  /// A loss of the fused output and of the branches, the latter by their share of the present modalities.
  [[nodiscard]] variable<B> loss(const network_output<B>& out, const presence<B>& p) {
    const dice_cross_entropy compare;
    const shape zs = out.fused.shape();
    const auto y = detach(softmax(scale(constant(zs, 77), 5), -1));
    auto total = mean(compare(out.fused, y));
    for (std::size_t m = 0; m < out.branches.size(); ++m) {
      const auto share = reshape(slice(p.share(), 1, static_cast<index>(m), static_cast<index>(m) + 1), {zs[0]});
      total = add(total, scale(mean(multiply(compare(out.branches[m], y), share)), 0.5));
    }
    return total;
  }
  /// Sample n of a variable (N, ...), on the host.
  [[nodiscard]] std::vector<double> sample(const variable<B>& v, index n) const { return host(slice(v, 0, n, n + 1)); }
};

/// Every non-empty subset of M modalities, a row each.
inline std::vector<std::vector<float>> subsets(index modalities) {
  std::vector<std::vector<float>> rows;
  for (index bits = 1; bits < (index{1} << modalities); ++bits) {
    rows.emplace_back();
    for (index m = 0; m < modalities; ++m) rows.back().push_back(bits >> m & 1 ? 1.f : 0.f);
  }
  return rows;
}

/// Where a parameter's name has the number of a modality, [first, last); nothing where it has none.
inline std::pair<std::size_t, std::size_t> modality_in(const std::string& name) {
  static const std::vector<std::string> words{"align", "gate", "squeeze", "excite", "key", "enhance", "enhance_gate"};
  std::size_t first = name.find('.') + 1;  // "stream.", "branch."
  if (name.starts_with("fusion.")) {       // "fusion.1.gate."
    const std::size_t word = name.find('.', first) + 1;
    first = name.find('.', word) + 1;
    if (std::find(words.begin(), words.end(), name.substr(word, first - 1 - word)) == words.end()) return {0, 0};
  } else if (!name.starts_with("stream.") && !name.starts_with("branch.")) {
    return {0, 0};
  }
  const std::size_t last = name.find_first_not_of("0123456789", first);
  return last != std::string::npos && last > first && name[last] == '.' ? std::pair{first, last}
                                                                        : std::pair{std::size_t{0}, std::size_t{0}};
}

/// The same parameters with modality `order[m]` in the place of m.
inline safetensors_file permuted(const safetensors_file& file, const std::vector<int>& order) {
  safetensors_file out;
  for (std::size_t m = 0; m < order.size(); ++m)
    for (const auto& [name, array] : file.arrays) {
      const auto [first, last] = modality_in(name);
      if (last == 0)
        out.arrays[name] = array;
      else if (std::stoi(name.substr(first, last - first)) == order[m])
        out.arrays[text(name.substr(0, first), m, name.substr(last))] = array;
    }
  return out;
}

}  // namespace comodal::tests

#endif
