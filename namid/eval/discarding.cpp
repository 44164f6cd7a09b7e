// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/discarding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "namid/attacks/a3.h"

namespace namid::eval {
namespace {

constexpr std::int64_t kLeast = 100;

}  // namespace

std::int64_t kept_of(double share, std::int64_t survivors, std::int64_t n) {
  if (10 * survivors < n) return survivors;
  const auto part = static_cast<std::int64_t>(std::floor(share * static_cast<double>(survivors)));
  return std::min(survivors, std::max(kLeast, part));
}

void LowestMargins::add(std::uint64_t sample, double margin) {
  const auto [at, is_new] = margins_.emplace(sample, margin);
  if (!is_new) at->second = std::min(at->second, margin);
}

double LowestMargins::of(std::uint64_t sample) const {
  const auto found = margins_.find(sample);
  return found == margins_.end() ? std::numeric_limits<double>::infinity() : found->second;
}

std::vector<std::uint64_t> LowestMargins::nearest(std::vector<std::uint64_t> ids,
                                                  std::int64_t count) const {
  std::sort(ids.begin(), ids.end(),
            [&](auto a, auto b) { return std::pair(of(a), a) < std::pair(of(b), b); });
  ids.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, std::ssize(ids))));
  return ids;
}

AttackEntry a3_protocol(const attacks::Budget& budget) {
  attacks::NamedAttack attack("a3");
  attack.budget() = budget;
  auto entry = entry_of(attack, "a3");
  entry.options += " discarding=true";
  entry.share = [](int round) { return attacks::a3_row(round).share; };
  entry.learn = [attack](const Lesson& lesson) {
    const auto direction = attacks::a3_direction(lesson.random, lesson.ids, lesson.labels,
                                                 lesson.reached, lesson.classes);
    auto taught = attack;
    OptionSet set;
    taught.add_options(set, "attack");
    set.set("attack.direction", to_string(direction));
    return AttackEntry::Function(taught);
  };
  return entry;
}

}  // namespace namid::eval
