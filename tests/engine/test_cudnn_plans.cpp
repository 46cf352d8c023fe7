// SPDX-License-Identifier: Apache-2.0
// cuDNN is asked for a plan of each convolution of the networks that ship, for an H100 that is described, not there:
// each has one that gives the same bytes in each run, on tensor cores where both numbers of channels are 8 or more.
// What heuristics and support checks accept is all that is shown: nothing is computed.
#define BOOST_TEST_MODULE engine_cudnn_plans
#include <boost/test/unit_test.hpp>

#include <comodal/engine/cudnn/plans.hpp>
#include <comodal/model/make_network.hpp>

#include <core/support.hpp>
#include <engine/conv3d_problems.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

namespace comodal::tests {

using engine_detail::cudnn_plan, engine_detail::cudnn_planner, engine_detail::cudnn_precision,
    engine_detail::cudnn_refusal, engine_detail::cudnn_target;

// The problem that `conv3d_problem::to_string` wrote, where it is one of a network's.
conv3d_problem problem_of(const std::string& words) {
  long n = 0, ci = 0, co = 0;
  extent3 input{}, filter{}, stride{};
  int end = 0;
  if (std::sscanf(words.c_str(), "%ld x %ldx%ldx%ld x %ld -> %ld, filter %ldx%ldx%ld, stride %ldx%ldx%ld%n", &n,
                  &input[0], &input[1], &input[2], &ci, &co, &filter[0], &filter[1], &filter[2], &stride[0], &stride[1],
                  &stride[2], &end) != 12)
    throw error("no convolution: " + words);
  const std::string rest = words.substr(static_cast<std::size_t>(end));
  const auto has = [&](const char* what) { return rest.find(what) != std::string::npos; };
  conv3d_problem p(n, input, ci, co, filter, stride);
  if (has("transposed"))
    p = conv3d_problem::transposed(n, {input[0] / filter[0], input[1] / filter[1], input[2] / filter[2]}, co, ci,
                                   filter);
  else if (has("padding"))
    p.pad_front = p.pad_back = {0, 0, 0};
  p.has_bias = has("bias");
  int parts = 0;
  if (const auto at = rest.find(" parts"); at != std::string::npos)
    std::sscanf(rest.c_str() + rest.rfind(' ', at - 1), "%d", &parts);
  if (parts > 1) {
    std::vector<index> channels(static_cast<std::size_t>(parts), 1);
    channels[0] = ci - parts + 1;
    p.set_parts(channels);
  }
  if (p.to_string() != words) throw error(text("read ", p.to_string(), " of ", words));
  return p;
}

// All convolutions of a network that is trained, by their problems; extents are multiplied by `scale`.
struct asked {
  conv3d_problem problem;
  std::set<direction> directions;
};
void ask(const network_options& o, index modalities, index classes, index scale, std::map<std::string, asked>& all) {
  using backend = default_backend;
  context<backend> ctx;
  tape<backend> home(ctx);
  const auto network = make_network<backend>(home, o, modalities, classes, 1);
  const extent3 total = o.total_stride();
  const shape extents{2, 2 * total[0], 2 * total[1], 2 * total[2], 1};
  std::vector<variable<backend>> volumes;
  for (index m = 0; m < modalities; ++m)
    volumes.push_back(home.constant(ctx.make(extents, converted<float>(values(extents.size(), 1)))));
  const presence<backend> all_there(home, 2, modalities,
                                    std::vector<float>(static_cast<std::size_t>(2 * modalities), 1.0F));
  const auto result = network.forward(volumes, all_there, {});
  auto loss = mean(result.fused);
  for (const auto& branch : result.branches) loss = add(loss, mean(branch));
  for (const auto& deep : result.deep) loss = add(loss, mean(deep));
  home.backward(loss);
  for (const planned_operation& plan : ctx.planned()) {
    if (!plan.operation.starts_with("conv3d.")) continue;
    conv3d_problem p = problem_of(plan.problem);
    for (index& extent : p.input) extent *= scale;
    asked& a = all.try_emplace(p.to_string(), asked{p, {}}).first->second;
    a.directions.insert(plan.operation == "conv3d.forward"         ? direction::forward
                        : plan.operation == "conv3d.backward_data" ? direction::backward
                                                                   : direction::backward_weights);
  }
}

const cudnn_planner& h100() {
  static const cudnn_planner planner = [] {
    std::ifstream file(COMODAL_TEST_DATA "/h100.json");
    std::string words((std::istreambuf_iterator<char>(file)), {});
    while (words.ends_with('\n')) words.pop_back();
    return cudnn_planner(cudnn_target(std::string_view(words)));
  }();
  return planner;
}

// Those that the version of cuDNN has no known fault in.
std::map<std::string, cudnn_precision> precisions() {
  std::map<std::string, cudnn_precision> all{
      {"bf16", {CUDNN_DATA_BFLOAT16, false}}, {"fp32", {CUDNN_DATA_FLOAT, false}}, {"tf32", {CUDNN_DATA_FLOAT, true}}};
  std::erase_if(all, [](const auto& one) {
    const std::string why = cudnn_refusal(cudnnGetVersion(), one.second.type, one.second.tf32);
    if (!why.empty()) std::printf("left out: %s\n", why.c_str());
    return !why.empty();
  });
  return all;
}

BOOST_AUTO_TEST_CASE(each_convolution_of_the_networks_has_a_deterministic_plan) {
  std::map<std::string, asked> all;
  network_options o;
  for (const char* encoder : {"unet", "residual", "vnet", "resenc"}) {
    o.encoder = encoder;
    ask(o, 3, 4, 4, all);
  }
  o = {};
  for (const char* fusion : {"mean", "concat", "gated", "channel", "cross_modal", "window_cross_modal", "early"}) {
    o.fusion = fusion;
    ask(o, 4, 3, 4, all);
  }
  o = {};
  for (const char* decoder : {"unet_trilinear", "unet_nearest"}) {
    o.decoder = decoder;
    ask(o, 1, 2, 4, all);
  }
  o = {};
  o.strides = {{2, 2, 1}, {2, 2, 1}, {2, 2, 2}};
  o.kernel_size = {{3, 3, 1}, {3, 3, 1}, {3, 3, 3}, {3, 3, 3}};
  o.deep_supervision = true;
  ask(o, 2, 2, 4, all);
  o = {};  // nnU-Net's
  o.fusion = "early";
  o.stream_channels = o.fused_channels = {32, 64, 128, 256, 320, 320};
  ask(o, 4, 4, 2, all);
  BOOST_TEST(all.size() > 60U);

  std::map<std::string, int> without;  // tensor cores
  for (const auto& [words, a] : all)
    for (const direction d : a.directions)
      for (const auto& [name, precision] : precisions()) {
        const cudnn_plan plan = h100().make(a.problem, d, precision);
        BOOST_TEST_CONTEXT(name << ", " << conv3d_problem::name(d) << " of " << words) {
          BOOST_TEST(plan.why == "");
          BOOST_TEST(plan.facts.implementation.starts_with("engine "));
          BOOST_TEST(!plan.facts.implementation.starts_with("engine 25,"));  // differs from run to run
          if (name == "fp32") BOOST_TEST(!plan.tensor_cores);
          if (name == "bf16" && a.problem.in_channels >= 8 && a.problem.out_channels >= 8)
            BOOST_TEST(plan.tensor_cores);
          if (name != "fp32" && !plan.tensor_cores) ++without[name];
        }
      }
  std::printf("%zu convolutions; without tensor cores, of channels below 8 or as cuDNN chose: bf16 %d, tf32 %d plans\n",
              all.size(), without["bf16"], without["tf32"]);
}

BOOST_AUTO_TEST_CASE(odd_convolutions_have_plans_too_or_say_why_not) {
  for (const conv3d_problem& p : problems)
    for (const direction d : {direction::forward, direction::backward, direction::backward_weights})
      for (const auto& [name, precision] : precisions())
        BOOST_TEST(h100().make(p, d, precision).why == "",
                   name << ", " << conv3d_problem::name(d) << " of " << p.to_string());
  conv3d_problem groups(1, {16, 16, 16}, 16, 16);
  groups.groups = 4;
  for (const auto& [name, precision] : precisions())
    BOOST_TEST(h100().make(groups, direction::forward, precision).why == "", name);
  const cudnn_plan none = h100().make(conv3d_problem(1, {std::int64_t{1} << 30, 64, 64}, 8, 8), direction::forward,
                                      {CUDNN_DATA_FLOAT, false});
  BOOST_TEST((!none.plan && !none.why.empty()));
}

BOOST_AUTO_TEST_CASE(versions_that_are_known_to_be_wrong_are_refused_by_name) {
  BOOST_TEST(cudnn_refusal(91200, CUDNN_DATA_BFLOAT16, false) ==
             "cuDNN 9.12.0 is known for wrong 3-D convolutions in bf16 (9.8 to 9.14): install 9.15 or newer");
  BOOST_TEST(cudnn_refusal(91002, CUDNN_DATA_FLOAT, true) ==
             "cuDNN 9.10.2 is known for wrong 3-D convolutions in TF32 (9.10.2 to 9.15): install 9.16 or newer");
  for (const std::size_t wrong : {90800U, 91100U, 91400U, 91499U})
    BOOST_TEST(cudnn_refusal(wrong, CUDNN_DATA_BFLOAT16, false) != "");
  for (const std::size_t right : {90701U, 91500U, 91900U})
    BOOST_TEST(cudnn_refusal(right, CUDNN_DATA_BFLOAT16, false) == "");
  for (const std::size_t version : {90800U, 91200U, 91500U})
    BOOST_TEST(cudnn_refusal(version, CUDNN_DATA_FLOAT, false) == "");
  for (const std::size_t right : {91001U, 91600U}) BOOST_TEST(cudnn_refusal(right, CUDNN_DATA_FLOAT, true) == "");
}

}  // namespace comodal::tests
