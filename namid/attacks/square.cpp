// SPDX-License-Identifier: Apache-2.0
#include "namid/attacks/square.h"

#include <optional>

#include "namid/attacks/attack_scope.h"
#include "namid/attacks/gradient.h"
#include "namid/attacks/norms.h"
#include "namid/attacks/rounds.h"
#include "namid/attacks/square_sampler.h"
#include "namid/attacks/windowed_model.h"
#include "namid/core/error.h"

namespace namid::attacks {
namespace {

constexpr std::string_view kSquare = "square";

/// Queries of one restart, x and the start included.
int queries_in_all(const SquareOptions& options) {
  if (options.budget.epsilon == 0) return 1;
  return options.compat == Compat::autoattack ? options.queries + 2 : options.queries;
}

void check_compat(const SquareOptions& options, const at::Tensor& x) {
  const auto size = image_size(x);
  if (options.compat == Compat::none || options.budget.norm == Norm::linf) return;
  if (size.height != size.width || size.height < 5)
    throw OptionError(str("[", kSquare, "] compat: autoattack in ", to_string(options.budget.norm),
                          " needs square images of at least 5 rows, got ", size.height, " x ",
                          size.width));
}

/// The rows that are queried: all of the round, or those not done yet.
struct Group {
  Group(const Classifier& model, const Round& round, const at::Tensor& rows,
        const SquareOptions& options, const Context& context)
      : place(rows),
        x(round.x.index_select(0, rows).contiguous()),
        y(round.y.index_select(0, rows)),
        sampler(x, pick(round.ids, rows), round.epoch, options, context),
        seen(model, rows.numel(), sampler.shares_window()),
        surface(kSquare, seen.classifier(), y, climbed_loss(options.loss, options.targeted),
                context) {}

  at::Tensor place, x, y;
  SquareSampler sampler;
  WindowedModel seen;
  LossSurface surface;
};

/// Rows of the round, all of them.
struct Standing {
  explicit Standing(const Round& round)
      : best{.x_adv = round.x.clone(at::MemoryFormat::Contiguous),
             .success = at::zeros_like(round.y, at::kBool),
             .step = at::zeros_like(round.y),
             .loss = at::zeros_like(round.y, at::kFloat),
             .passes = {}},
        done(best.success.clone()) {}

  AttackResult best;
  at::Tensor done;
};

at::Tensor next_query(Group& group, const Standing& standing, int query) {
  if (query == 0) return group.x;
  if (query == 1) return group.sampler.start();
  const int iteration = query - 2;
  const auto best = standing.best.x_adv.index_select(0, group.place);
  if (group.sampler.shares_window())
    group.seen.expect(best, group.sampler.shared_window(iteration));
  return group.sampler.proposal(best, iteration);
}

/// Rows of the group that need no further query. The reference stops at a margin of 0, a tie.
at::Tensor won(const LossAndGradient& point, const Group& group, const SquareOptions& options) {
  if (options.compat == Compat::none) return fooled(point.logits, group.y, options.targeted);
  const auto margin = attack_loss(AttackLoss::margin, point.logits, group.y);
  return options.targeted ? margin <= 0 : margin >= 0;
}

/// Keeps the points that raise the loss or win; x and the start are kept by all, so that the search
/// sets out from the start.
void keep_better(Standing& standing, Group& group, const at::Tensor& x_new,
                 const LossAndGradient& point, const SquareOptions& options, int query) {
  auto& best = standing.best;
  const auto wins = won(point, group, options);
  const auto raised =
      query < 2 ? at::ones_like(wins) : point.loss > best.loss.index_select(0, group.place);
  const auto open = standing.done.index_select(0, group.place).logical_not();
  const auto accepted = (raised | wins) & open;
  group.seen.accept(accepted);
  const auto kept = accepted.nonzero().squeeze(1);
  const auto place = group.place.index_select(0, kept);
  const auto success = fooled(point.logits, group.y, options.targeted);
  best.x_adv.index_copy_(0, place, x_new.index_select(0, kept));
  best.loss.index_copy_(0, place, point.loss.index_select(0, kept));
  best.success.index_copy_(0, place, success.index_select(0, kept));
  best.step.index_fill_(0, place, query);
  standing.done.index_copy_(0, place, wins.index_select(0, kept));
}

/// Rows that are not done go back to x where the search ended below its loss.
AttackResult finish(Standing& standing, const at::Tensor& x, const at::Tensor& clean_loss,
                    int queries) {
  auto& best = standing.best;
  const auto worse = standing.done.logical_not() & (best.loss < clean_loss);
  best.x_adv = at::where(per_sample(worse, x), x, best.x_adv);
  best.loss = at::where(worse, clean_loss, best.loss);
  best.step.masked_fill_(worse, 0);
  best.forwards = at::where(standing.done, best.step + 1, queries);
  best.backwards = at::zeros_like(best.step);
  return best;
}

/// Algorithm 1.
AttackResult search(const Classifier& model, const Round& round, const SquareOptions& options,
                    const Context& context) {
  Standing standing(round);
  const auto add_passes = [&](const Passes& passes) {
    standing.best.passes.forwards += passes.forwards;
  };
  std::optional<Group> group;
  group.emplace(model, round, at::arange(round.y.numel(), round.y.options()), options, context);
  at::Tensor clean_loss;
  const int most = queries_in_all(options);
  int query = 0;
  for (bool all_done = false; query < most && !all_done; ++query) {
    if (context.stop) context.stop->check();
    const auto open = standing.done.logical_not();
    const auto x_new = next_query(*group, standing, query);
    const auto point = group->surface.value(x_new, query);
    keep_better(standing, *group, x_new, point, options, query);
    if (query == 0) clean_loss = standing.best.loss.clone();
    if (context.observe)
      context.observe(round.index * most + query,
                      standing.best.loss.masked_select(open).mean().item<double>());
    const auto left = standing.done.logical_not().nonzero().squeeze(1);
    all_done = left.numel() == 0;
    if (context.compact && !all_done && left.numel() < group->place.numel()) {
      add_passes(group->surface.finish());
      group.emplace(model, round, left, options, context);
    }
  }
  add_passes(group->surface.finish());
  return finish(standing, round.x, clean_loss, query);
}

}  // namespace

AttackResult square(const Classifier& model, const at::Tensor& x, const at::Tensor& y,
                    const SquareOptions& options, const Context& context) {
  validate(options, kSquare);
  check_compat(options.compat, {Compat::autoattack}, kSquare);
  validate_budget(options.budget, kSquare);
  check_batch(model, x, y, kSquare);
  check_compat(options, x);
  check_loss(options.loss, options.targeted, model.info().num_classes, kSquare);
  if (options.loss == AttackLoss::kl)
    throw OptionError(str("[", kSquare, "] loss: expected margin, cross_entropy or dlr, got kl"));
  const AttackScope scope(model);
  return run_rounds(kSquare, x, y, rounds(options), context,
                    [&](const Round& round) { return search(model, round, options, context); });
}

}  // namespace namid::attacks
