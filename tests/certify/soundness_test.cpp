// SPDX-License-Identifier: Apache-2.0
//
// What a bound must never do: exceed the margin of an allowed image. Looked for with drawn images,
// corners of the box and PGD; and what it must do where the answer is known.
#include <gtest/gtest.h>

#include "certify/nets.h"
#include "certify/toy.h"
#include "namid/attacks/pgd.h"
#include "namid/certify/crown.h"
#include "namid/certify/fast_lin.h"
#include "namid/certify/interval.h"

namespace namid::certify {
namespace {

using attacks::Budget;
using attacks::Norm;

constexpr std::int64_t kImages = 3;

struct Case {
  std::string name;
  models::Classifier model;
  std::vector<Budget> budgets;
};

const std::vector<Case>& cases() {
  const std::vector<Budget> budgets{
      {Norm::linf, 0.004}, {Norm::linf, 0.03}, {Norm::l2, 0.1}, {Norm::l1, 0.5}};
  const auto layers = [](const std::string& text) {
    return trained_like({.model = "sequential", .layers = text}, {2, 8, 8});
  };
  static const std::vector<Case> all{
      {"conv", layers(kConvNet), budgets},
      {"pooled", layers(kPooled), budgets},
      {"preactivated", layers(kPreactivated), budgets},
      {"mlp", trained_like({.model = "mlp", .width = 12}, {1, 4, 4}), budgets},
      {"resnet", trained_like({.model = "resnet18", .width = 2}, {1, 6, 6}), {{Norm::linf, 0.002}}},
      {"resnet, preactivated",
       trained_like({.model = "preactresnet18", .width = 2}, {1, 6, 6}),
       {{Norm::linf, 0.002}}}};
  return all;
}

struct Setting {
  const Case* of;
  Budget budget;
  Bench bench;
  at::Tensor y;
};

Setting setting(const Case& of, const Budget& budget) {
  auto network = normal_form(models::describe(of.model));
  const auto x = images_for(of.model, kImages);
  const auto y = forward(network, x).argmax(1);
  return {&of, budget, Bench(std::move(network), x, y, budget), y};
}

void for_each_setting(const std::function<void(const Setting&)>& test) {
  for (const auto& of : cases())
    for (const auto& budget : of.budgets) {
      SCOPED_TRACE(str(of.name, " ", to_string(budget.norm), " ", budget.epsilon));
      test(setting(of, budget));
    }
}

/// Allowed images: corners, points on the sphere, and PGD's.
std::vector<at::Tensor> allowed_images(const Setting& s) {
  at::manual_seed(1);
  std::vector<at::Tensor> all;
  const auto& x = s.bench.set.x;
  for (int i = 0; i < 40; ++i) {
    auto step = s.budget.norm == Norm::linf ? at::randn_like(x).sign() : at::randn_like(x);
    if (s.budget.norm == Norm::l1) step = at::where(at::rand_like(x) < 0.05, step, 0.0);
    const auto flat = step.flatten(1);
    const auto size = s.budget.norm == Norm::linf ? flat.abs().amax(1)
                      : s.budget.norm == Norm::l2 ? flat.square().sum(1).sqrt()
                                                  : flat.abs().sum(1);
    auto shape = std::vector<std::int64_t>(static_cast<std::size_t>(x.dim()), 1);
    shape[0] = x.size(0);
    all.push_back((x + step * (s.budget.epsilon / size.clamp_min(1e-9)).view(shape)).clamp(0, 1));
  }
  const auto attacked =
      attacks::pgd(s.of->model, x.to(at::kFloat), s.y,
                   {.budget = s.budget, .steps = 20, .step_size = s.budget.epsilon / 4});
  // Back into the ball of float64, which float32 may have left by a rounding error.
  auto towards = (attacked.x_adv.to(at::kDouble) - x) * (1 - 1e-5);
  all.push_back(x + towards);
  return all;
}

/// Margins of the rows at images x.
at::Tensor margins(const Bench& bench, const at::Tensor& x) {
  const auto& rows = bench.spec.rows;
  return (forward(bench.network, x).index_select(0, rows.sample) * rows.lambda).sum(1);
}

using Bound = std::function<at::Tensor(const Setting&)>;

const std::vector<std::pair<std::string, Bound>>& bounds() {
  static const auto of = [](const Setting& s) -> const Rows& { return s.bench.spec.rows; };
  static const std::vector<std::pair<std::string, Bound>> all{
      {"interval", [](const Setting& s) { return interval(s.bench.problem(), of(s)); }},
      {"fast-lin", [](const Setting& s) { return fast_lin(s.bench.problem(), of(s)); }},
      {"fast-lin alone",
       [](const Setting& s) { return fast_lin(s.bench.problem(), of(s), {.intersect = false}); }},
      {"crown", [](const Setting& s) { return crown(s.bench.problem(), of(s)).bounds; }},
      {"crown in blocks",
       [](const Setting& s) {
         return crown(s.bench.problem(), of(s), {.block_bytes = 20000}).bounds;
       }},
      {"alpha-crown", [](const Setting& s) {
         const auto found = crown(s.bench.problem(), of(s));
         return alpha_crown(s.bench.problem(), of(s), found.known,
                            at::full_like(found.bounds, INFINITY), {.iterations = 15});
       }}};
  return all;
}

TEST(Soundness, NoAllowedImageFallsBelowABound) {
  for_each_setting([](const Setting& s) {
    const auto images = allowed_images(s);
    for (const auto& [name, bound] : bounds()) {
      const auto lower = bound(s);
      for (const auto& x : images)
        EXPECT_GE((margins(s.bench, x) - lower).min().item<double>(), -1e-10) << name;
    }
  });
}

TEST(Soundness, ReluInputsOfAllowedImagesLieInTheirIntervals) {
  for (const auto& of : cases()) {
    const auto s = setting(of, of.budgets[0]);
    const auto known = intermediate_bounds(s.bench.problem(), Slopes::crown);
    for (const auto& image : allowed_images(s)) {
      auto cut = s.bench.network;  // what a network that ends there computes
      while (cut.layers.size() > 2) {
        const auto reader = cut.layers.back();
        cut.layers.pop_back();
        const auto i = cut.layers.size() - 1;
        if (reader.kind != LayerKind::relu || reader.inputs[0] != i) continue;
        const auto y = forward(cut, image);
        EXPECT_TRUE((y >= known.bounds[i].lower).all().item<bool>()) << of.name << " " << i;
        EXPECT_TRUE((y <= known.bounds[i].upper).all().item<bool>()) << of.name << " " << i;
      }
    }
  }
}

TEST(Soundness, ARadiusOfZeroGivesTheMarginItself) {
  for (const auto& of : cases()) {
    const auto s = setting(of, {.epsilon = 0});
    const auto exact = margins(s.bench, s.bench.set.x);
    for (const auto& [name, bound] : bounds()) {
      // Interval arithmetic carries the rounding margins through the many layers of a ResNet.
      if (name == "interval" && of.name.starts_with("resnet")) continue;
      EXPECT_LE((bound(s) - exact).abs().max().item<double>(), 1e-9) << of.name << " " << name;
    }
  }
}

TEST(Soundness, ALinearNetworkIsBoundedExactly) {
  const auto model = trained_like(
      {.model = "sequential", .layers = "[[layer]]\ntype='flatten'\n[[layer]]\ntype='linear'\n"},
      {1, 3, 3});
  const auto network = normal_form(models::describe(model));
  const auto x = images_for(model, kImages);
  const auto y = forward(network, x).argmax(1);
  for (const auto norm : {Norm::linf, Norm::l2, Norm::l1}) {
    // Small enough that the box cuts nothing off but at the ends of [0,1], where it does.
    const Bench bench(network, (0.2 + 0.6 * x), y, {norm, 0.05});
    const auto found = certify(network, 0.2 + 0.6 * x, y, {norm, 0.05}, {.method = Method::crown});
    const auto& rows = bench.spec.rows;
    const auto weights = rows.lambda.mm(network.logits().weight);
    const auto dual = norm == Norm::linf ? weights.abs().sum(1)
                      : norm == Norm::l2 ? weights.square().sum(1).sqrt()
                                         : weights.abs().amax(1);
    const auto exact = (margins(bench, bench.set.x) - 0.05 * dual).view({kImages, -1}).amin(1);
    EXPECT_LE((found.bound - exact).abs().max().item<double>(), 1e-12) << to_string(norm);
  }
}

TEST(Soundness, BoundsFallAsTheRadiusGrows) {
  for (const auto& of : cases()) {
    at::Tensor before;
    for (const double epsilon : {0.0, 0.001, 0.004, 0.01, 0.03}) {
      const auto s = setting(of, {.epsilon = epsilon});
      const auto now = interval(s.bench.problem(), s.bench.spec.rows);
      if (before.defined()) {
        EXPECT_TRUE((now <= before + 1e-12).all().item<bool>()) << of.name << " " << epsilon;
      }
      before = now;
    }
  }
}

TEST(Soundness, EachMethodIsAtLeastAsTightAsThoseItHolds) {
  for_each_setting([](const Setting& s) {
    std::map<Method, at::Tensor> worst;
    for (const auto method :
         {Method::interval, Method::fast_lin, Method::crown, Method::alpha_crown})
      worst[method] = certify(s.bench.network, s.bench.set.x, s.y, s.budget,
                              {.method = method, .alpha = {.iterations = 5}})
                          .bound;
    const auto no_looser = [&](Method a, Method b) {
      EXPECT_GE((worst[b] - worst[a]).min().item<double>(), -1e-9);
    };
    no_looser(Method::interval, Method::fast_lin);
    no_looser(Method::interval, Method::crown);
    no_looser(Method::crown, Method::alpha_crown);
  });
}

TEST(Soundness, IntersectedIntervalsAreWithinIntervalArithmetics) {
  for (const auto& of : cases()) {
    const auto s = setting(of, of.budgets[0]);
    const auto plain = intermediate_bounds(s.bench.problem(), Slopes::constant);
    const auto tight = intermediate_bounds(s.bench.problem(), Slopes::crown);
    for (std::size_t i = 1; i < plain.bounds.size(); ++i) {
      EXPECT_TRUE((tight.bounds[i].lower >= plain.bounds[i].lower - 1e-9).all().item<bool>());
      EXPECT_TRUE((tight.bounds[i].upper <= plain.bounds[i].upper + 1e-9).all().item<bool>());
    }
  }
}

TEST(Certify, ASampleIsBoundedAloneAsAmongOthers) {
  const auto s = setting(cases()[0], cases()[0].budgets[0]);
  const auto all = certify(s.bench.network, s.bench.set.x, s.y, s.budget);
  for (std::int64_t i = 0; i < kImages; ++i) {
    const auto one = certify(s.bench.network, s.bench.set.x.slice(0, i, i + 1),
                             s.y.slice(0, i, i + 1), s.budget);
    EXPECT_NEAR(one.bound.item<double>(), all.bound[i].item<double>(), 1e-9);
    EXPECT_EQ(one.rival.item<std::int64_t>(), all.rival[i].item<std::int64_t>());
  }
}

TEST(Certify, AWrongLabelIsNeverCertified) {
  const auto s = setting(cases()[0], {.epsilon = 0});
  const auto wrong = (s.y + 1) % 5;
  const auto found = certify(s.bench.network, s.bench.set.x, wrong, s.budget);
  EXPECT_FALSE(found.certified.any().item<bool>());
  EXPECT_TRUE(certify(s.bench.network, s.bench.set.x, s.y, s.budget).certified.all().item<bool>());
}

TEST(Certify, TheFloat32CertificateAsksForTheSlackToo) {
  const auto s = setting(cases()[0], {.epsilon = 0.001});
  const auto exact = certify(s.bench.network, s.bench.set.x, s.y, s.budget);
  const auto single = certify(s.bench.network, s.bench.set.x, s.y, s.budget, {.fp32 = true});
  EXPECT_TRUE((single.threshold > single.slack).all().item<bool>());
  EXPECT_TRUE((exact.threshold < 1e-9).all().item<bool>());
  // The slack covers what float32 does to these margins.
  const auto x = s.bench.set.x;
  const auto logits = s.of->model(x.to(at::kFloat)).to(at::kDouble);
  const auto& rows = s.bench.spec.rows;
  const auto theirs = (logits.index_select(0, rows.sample) * rows.lambda).sum(1);
  const auto slack = s.bench.rounding.float32_slack(rows);
  EXPECT_TRUE(((theirs - margins(s.bench, x)).abs() <= slack).all().item<bool>());
}

TEST(Certify, BadBudgetsAreRefused) {
  const auto s = setting(cases()[0], {.epsilon = 0});
  const auto with = [&](const Budget& budget) {
    return certify(s.bench.network, s.bench.set.x, s.y, budget);
  };
  EXPECT_THROW(with({Norm::l0, 1}), OptionError);
  EXPECT_THROW(with({Norm::linf, 8}), OptionError);
}

}  // namespace
}  // namespace namid::certify
