// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/registry.h"

#include "namid/attacks/a3.h"
#include "namid/attacks/apgd.h"
#include "namid/attacks/apgd_t.h"
#include "namid/attacks/cw.h"
#include "namid/attacks/ddn.h"
#include "namid/attacks/deepfool.h"
#include "namid/attacks/di_fgsm.h"
#include "namid/attacks/fab.h"
#include "namid/attacks/fab_t.h"
#include "namid/attacks/fgsm.h"
#include "namid/attacks/fmn.h"
#include "namid/attacks/frank_wolfe.h"
#include "namid/attacks/malt.h"
#include "namid/attacks/mi_fgsm.h"
#include "namid/attacks/noise.h"
#include "namid/attacks/pgd.h"
#include "namid/attacks/projected_sinkhorn.h"
#include "namid/attacks/random_search.h"
#include "namid/attacks/square.h"
#include "namid/attacks/ti_dim.h"
#include "namid/attacks/ti_fgsm.h"
#include "namid/attacks/transport_pgd.h"
#include "namid/attacks/unbounded.h"
#include "namid/core/error.h"

namespace namid::attacks {

struct NamedAttack::Bound {
  virtual ~Bound() = default;
  virtual std::unique_ptr<Bound> copy() const = 0;
  virtual void add_options(OptionSet& set, std::string section) = 0;
  virtual Budget& budget() = 0;
  virtual void validate(const std::vector<Norm>& norms) const = 0;
  virtual int rounds(std::int64_t classes) const = 0;
  virtual AttackResult run(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                           const Context& context) const = 0;
};

namespace {

using Bound = NamedAttack::Bound;

template <class Options, auto kFunction>
struct BoundTo final : Bound {
  explicit BoundTo(std::string_view attack) : name(attack) {}
  std::unique_ptr<Bound> copy() const override { return std::make_unique<BoundTo>(*this); }
  void add_options(OptionSet& set, std::string section) override {
    set.add(std::move(section), options);
  }
  Budget& budget() override { return options.budget; }
  void validate(const std::vector<Norm>& norms) const override {
    namid::validate(options, name);
    validate_budget(options.budget, name, norms);
  }
  int rounds(std::int64_t classes) const override { return attacks::rounds(options, classes); }
  AttackResult run(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                   const Context& context) const override {
    return kFunction(model, x, y, options, context);
  }

  std::string_view name;
  Options options = {};
};

template <class Options, auto kFunction>
std::unique_ptr<Bound> bind(std::string_view name, const Options& defaults) {
  auto bound = std::make_unique<BoundTo<Options, kFunction>>(name);
  bound->options = defaults;
  return bound;
}

template <class Options, auto kFunction>
std::unique_ptr<Bound> bind(std::string_view name) {
  return bind<Options, kFunction>(name, Options{});
}

std::unique_ptr<Bound> bind_apgd_dlr(std::string_view name) {
  return bind<ApgdOptions, apgd>(name, {.loss = AttackLoss::dlr});
}

struct Row {
  AttackInfo info;
  std::unique_ptr<Bound> (*make)(std::string_view name);
};

const std::vector<Row>& unbounded_rows() {
  static const std::vector<Row> table{
      {{.name = "spatial-grid",
        .summary = "rotations and translations, on a grid or at random",
        .paper = "engstrom2019",
        .norms = {Norm::none},
        .own_loss = false,
        .budget = {Norm::none, 0}},
       bind<Unbounded<SpatialGridOptions>, spatial_grid_of>},
      {{.name = "spatial-flow",
        .summary = "pixels moved by a smooth flow field, found by L-BFGS",
        .paper = "xiao2018",
        .norms = {Norm::none},
        .targeted = true,
        .gradient = true,
        .budget = {Norm::none, 0}},
       bind<Unbounded<SpatialFlowOptions>, spatial_flow_of>},
  };
  return table;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
      {{.name = "pgd",
        .summary = "projected gradient descent from a random start",
        .paper = "madry2018",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = true,
        .budget = PgdOptions{}.budget},
       bind<PgdOptions, pgd>},
      {{.name = "apgd-ce",
        .summary = "Auto-PGD on cross-entropy: momentum, step size by itself",
        .paper = "croce2020reliable",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = true,
        .budget = ApgdOptions{}.budget},
       bind<ApgdOptions, apgd>},
      {{.name = "apgd-dlr",
        .summary = "Auto-PGD on the difference of logits ratio",
        .paper = "croce2020reliable",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = true,
        .min_classes = 3,
        .budget = ApgdOptions{}.budget},
       bind_apgd_dlr},
      {{.name = "apgd-t",
        .summary = "Auto-PGD on the targeted difference of logits ratio, class by class",
        .paper = "croce2020reliable",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .gradient = true,
        .min_classes = 4,
        .budget = ApgdTOptions{}.budget},
       bind<ApgdTOptions, apgd_t>},
      {{.name = "fab",
        .summary = "smallest perturbation, by steps to the nearest linearised boundary",
        .paper = "croce2020fab",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = false,
        .gradient = true,
        .own_loss = false,
        .budget = FabOptions{}.budget},
       bind<FabOptions, fab>},
      {{.name = "fab-t",
        .summary = "FAB towards each of the most likely other classes in turn",
        .paper = "croce2020reliable",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = false,
        .gradient = true,
        .own_loss = false,
        .budget = FabTOptions{}.budget},
       bind<FabTOptions, fab_t>},
      {{.name = "square",
        .summary = "random search over square windows, without gradients",
        .paper = "andriushchenko2020square",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = false,
        .budget = SquareOptions{}.budget},
       bind<SquareOptions, square>},
      {{.name = "fgsm",
        .summary = "one step along the sign of the gradient",
        .paper = "goodfellow2015",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = true,
        .budget = FgsmOptions{}.budget},
       bind<FgsmOptions, fgsm>},
      {{.name = "mi-fgsm",
        .summary = "iterative FGSM with momentum",
        .paper = "dong2018",
        .norms = {Norm::linf, Norm::l2},
        .targeted = true,
        .gradient = true,
        .budget = MiFgsmOptions{}.budget},
       bind<MiFgsmOptions, mi_fgsm>},
      {{.name = "di-fgsm",
        .summary = "iterative FGSM on images resized and padded at random, for transfer",
        .paper = "xie2019",
        .norms = {Norm::linf, Norm::l2},
        .targeted = true,
        .gradient = true,
        .budget = DiFgsmOptions{}.budget},
       bind<DiFgsmOptions, di_fgsm>},
      {{.name = "ti-fgsm",
        .summary = "iterative FGSM along smoothed gradients, for transfer",
        .paper = "dong2019",
        .norms = {Norm::linf, Norm::l2},
        .targeted = true,
        .gradient = true,
        .budget = TiFgsmOptions{}.budget},
       bind<TiFgsmOptions, ti_fgsm>},
      {{.name = "ti-dim",
        .summary = "smoothed gradients of images resized at random, with momentum",
        .paper = "dong2019",
        .norms = {Norm::linf, Norm::l2},
        .targeted = true,
        .gradient = true,
        .budget = TiDimOptions{}.budget},
       bind<TiDimOptions, ti_dim>},
      {{.name = "cw",
        .summary = "smallest L2 perturbation, by Adam on distance and margin",
        .paper = "carlini2017",
        .norms = {Norm::l2},
        .targeted = true,
        .gradient = true,
        .budget = CwOptions{}.budget},
       bind<CwOptions, cw>},
      {{.name = "ddn",
        .summary = "smallest L2 perturbation, by steps whose length the verdict steers",
        .paper = "rony2019",
        .norms = {Norm::l2},
        .targeted = true,
        .gradient = true,
        .budget = DdnOptions{}.budget},
       bind<DdnOptions, ddn>},
      {{.name = "fmn",
        .summary = "smallest perturbation, in a ball whose radius follows the boundary",
        .paper = "pintor2021",
        .norms = {Norm::linf, Norm::l2, Norm::l1, Norm::l0},
        .targeted = true,
        .gradient = true,
        .budget = FmnOptions{}.budget},
       bind<FmnOptions, fmn>},
      {{.name = "deepfool",
        .summary = "steps over the nearest linearised boundary",
        .paper = "moosavi2016",
        .norms = {Norm::l2, Norm::linf},
        .targeted = false,
        .gradient = true,
        .own_loss = false,
        .budget = DeepFoolOptions{}.budget},
       bind<DeepFoolOptions, deepfool>},
      {{.name = "malt",
        .summary = "targeted Auto-PGD, the nearest linearised boundaries first",
        .paper = "melamed2024",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .gradient = true,
        .own_loss = false,
        .min_classes = 4,
        .budget = MaltOptions{}.budget},
       bind<MaltOptions, malt>},
      {{.name = "a3",
        .summary = "margin steps from starts along directions of the logits, many short rounds",
        .paper = "liu2022",
        .norms = {Norm::linf, Norm::l2},
        .targeted = false,
        .gradient = true,
        .budget = A3Options{}.budget},
       bind<A3Options, a3>},
      {{.name = "noise",
        .summary = "random points of the ball, a baseline",
        .paper = "fawzi2016",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = false,
        .budget = NoiseOptions{}.budget},
       bind<NoiseOptions, noise>},
      {{.name = "random-search",
        .summary = "random steps kept where they raise the margin, a baseline",
        .paper = "rastrigin1963",
        .norms = {Norm::linf, Norm::l2, Norm::l1},
        .targeted = true,
        .gradient = false,
        .budget = RandomSearchOptions{}.budget},
       bind<RandomSearchOptions, random_search>},
      {{.name = "frank-wolfe",
        .summary = "Frank-Wolfe steps on the transport of pixel mass",
        .paper = "wu2020",
        .norms = {Norm::wasserstein},
        .targeted = false,
        .gradient = true,
        .budget = FrankWolfeOptions{}.budget},
       bind<FrankWolfeOptions, frank_wolfe>},
      {{.name = "transport-pgd",
        .summary = "gradient steps on the transport of pixel mass, dual projection",
        .paper = "wu2020",
        .norms = {Norm::wasserstein},
        .targeted = false,
        .gradient = true,
        .budget = TransportPgdOptions{}.budget},
       bind<TransportPgdOptions, transport_pgd>},
      {{.name = "projected-sinkhorn",
        .summary = "signed steps and entropic projection onto the Wasserstein ball",
        .paper = "wong2019",
        .norms = {Norm::wasserstein},
        .targeted = false,
        .gradient = true,
        .budget = ProjectedSinkhornOptions{}.budget},
       bind<ProjectedSinkhornOptions, projected_sinkhorn>},
  };
  return table;
}

const Row& row(std::string_view name) {
  std::vector<std::string> names;
  for (const auto* table : {&rows(), &unbounded_rows()})
    for (const auto& candidate : *table) {
      if (candidate.info.name == name) return candidate;
      names.emplace_back(candidate.info.name);
    }
  const auto near = nearest(name, names);
  throw OptionError(str("unknown attack '", name, "'",
                        near.empty() ? std::string() : str("; did you mean '", near, "'?"),
                        " (`namid list attacks` shows all)"));
}

std::vector<AttackInfo> infos_of(const std::vector<Row>& table) {
  std::vector<AttackInfo> all;
  for (const auto& each : table) all.push_back(each.info);
  return all;
}

}  // namespace

std::span<const AttackInfo> attack_table() {
  static const auto infos = infos_of(rows());
  return infos;
}

std::span<const AttackInfo> unbounded_attacks() {
  static const auto infos = infos_of(unbounded_rows());
  return infos;
}

NamedAttack::NamedAttack(std::string_view name)
    : info_(&row(name).info), bound_(row(name).make(info_->name)) {}
NamedAttack::NamedAttack(const NamedAttack& other)
    : info_(other.info_), bound_(other.bound_->copy()) {}
NamedAttack& NamedAttack::operator=(const NamedAttack& other) {
  return *this = NamedAttack(other);
}
NamedAttack::NamedAttack(NamedAttack&&) noexcept = default;
NamedAttack& NamedAttack::operator=(NamedAttack&&) noexcept = default;
NamedAttack::~NamedAttack() = default;

const AttackInfo& NamedAttack::info() const {
  return *info_;
}
void NamedAttack::add_options(OptionSet& set, std::string section) {
  bound_->add_options(set, std::move(section));
}
Budget& NamedAttack::budget() {
  return bound_->budget();
}
void NamedAttack::validate() const {
  bound_->validate(info_->norms);
}
int NamedAttack::rounds(std::int64_t classes) const {
  return bound_->rounds(classes);
}

AttackResult NamedAttack::operator()(const Classifier& model, const at::Tensor& x,
                                     const at::Tensor& y, const Context& context) const {
  return bound_->run(model, x, y, context);
}

}  // namespace namid::attacks
