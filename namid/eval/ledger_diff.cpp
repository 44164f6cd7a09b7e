// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/ledger_diff.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "namid/core/format.h"

namespace namid::eval {
namespace {

bool same_number(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

/// Names of the columns in which two attempts differ.
void add_differences(const AttemptRow& a, const AttemptRow& b, std::set<std::string>& columns) {
  const auto note = [&](bool same, const char* column) {
    if (!same) columns.insert(column);
  };
  note(a.success == b.success, "success");
  note(a.step == b.step, "step");
  note(a.prediction == b.prediction, "prediction");
  note(same_number(a.linf, b.linf), "linf");
  note(same_number(a.l2, b.l2), "l2");
  note(same_number(a.l1, b.l1), "l1");
  note(same_number(a.margin, b.margin), "margin");
  note(same_number(a.loss, b.loss), "loss");
  note(a.forwards == b.forwards, "forwards");
  note(a.backwards == b.backwards, "backwards");
  note(a.x_adv_hash == b.x_adv_hash, "x_adv_hash");
  note(a.refuted == b.refuted, "refuted");
  note(a.eight_bit == b.eight_bit, "eight_bit");
  note(a.wasserstein == b.wasserstein, "wasserstein");
  note(a.drawn == b.drawn, "draws");
}

/// Calls only_a, only_b or both for each key of two sorted maps.
template <class Map, class OnlyA, class OnlyB, class Both>
void zip(const Map& a, const Map& b, const OnlyA& only_a, const OnlyB& only_b, const Both& both) {
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (other == b.end()) {
      only_a(key, value);
    } else {
      both(key, value, other->second);
    }
  }
  for (const auto& [key, value] : b)
    if (!a.contains(key)) only_b(key, value);
}

void compare_identities(const Ledger::Identity& a, const Ledger::Identity& b, LedgerDiff& out) {
  const auto note = [&](const std::string& key, const std::string& u, const std::string& v) {
    if (u == v) return;
    auto& list = key.starts_with("environment") ? out.environment : out.identity;
    list.push_back(str(key, ": '", u, "' against '", v, "'"));
  };
  zip(
      a, b, [&](const auto& key, const auto& value) { note(key, value, ""); },
      [&](const auto& key, const auto& value) { note(key, "", value); }, note);
}

std::map<std::uint64_t, SampleRow> samples_of(const Ledger& ledger) {
  std::map<std::uint64_t, SampleRow> rows;
  for (const auto& row : ledger.samples()) rows[row.sample] = row;
  return rows;
}

using Attempts = std::map<std::pair<std::int64_t, std::uint64_t>, AttemptRow>;

Attempts attempts_of(const Ledger& ledger, const std::string& attack) {
  Attempts rows;
  for (auto& row : ledger.attempts(attack)) rows[{row.round, row.sample}] = std::move(row);
  return rows;
}

/// By sample: what became of it.
std::map<std::uint64_t, std::string> fates(const Ledger& ledger) {
  std::map<std::uint64_t, std::string> all;
  for (const auto& row : ledger.samples())
    all[row.sample] = row.correct ? "robust" : "misclassified";
  for (const auto& attack : ledger.attacks())
    for (const auto& row : ledger.attempts(attack))
      if (auto& fate = all[row.sample]; row.success && fate == "robust")
        fate = "broken by " + attack;
  return all;
}

std::int64_t differing_certificates(const Ledger& a, const Ledger& b) {
  const auto by_sample = [](const Ledger& ledger) {
    std::map<std::uint64_t, CertificateRow> rows;
    for (auto row : ledger.certificates()) {
      row.seconds = 0;
      rows[row.sample] = row;
    }
    return rows;
  };
  std::int64_t differ = 0;
  const auto alone = [&](auto, const auto&) { ++differ; };
  zip(by_sample(a), by_sample(b), alone, alone,
      [&](auto, const auto& u, const auto& v) { differ += u != v; });
  return differ;
}

bool is_broken(const std::string& fate) {
  return fate != "robust";
}

}  // namespace

bool LedgerDiff::empty() const {
  return identity.empty() && discordant.empty() && columns.empty() &&
         samples_only_a + samples_only_b + samples_differ + attempts_only_a + attempts_only_b +
                 attempts_differ + images_differ + certificates_differ ==
             0;
}

LedgerDiff diff(const Ledger& a, const Ledger& b) {
  LedgerDiff out;
  compare_identities(a.identity(), b.identity(), out);
  zip(
      samples_of(a), samples_of(b), [&](auto, const auto&) { ++out.samples_only_a; },
      [&](auto, const auto&) { ++out.samples_only_b; },
      [&](auto, const auto& u, const auto& v) {
        out.samples_differ +=
            !(u.label == v.label && u.prediction == v.prediction && u.correct == v.correct &&
              same_number(u.margin, v.margin) && u.drawn == v.drawn);
      });
  std::set<std::string> attacks, columns;
  for (const auto* ledger : {&a, &b})
    for (const auto& attack : ledger->attacks()) attacks.insert(attack);
  for (const auto& attack : attacks)
    zip(
        attempts_of(a, attack), attempts_of(b, attack),
        [&](auto, const auto&) { ++out.attempts_only_a; },
        [&](auto, const auto&) { ++out.attempts_only_b; },
        [&](auto, const auto& u, const auto& v) {
          std::set<std::string> here;
          add_differences(u, v, here);
          out.attempts_differ += !here.empty();
          columns.merge(here);
        });
  out.columns.assign(columns.begin(), columns.end());
  zip(
      fates(a), fates(b), [](auto, const auto&) {}, [](auto, const auto&) {},
      [&](auto sample, const auto& u, const auto& v) {
        if (is_broken(u) != is_broken(v)) out.discordant.push_back({sample, u, v});
      });
  std::map<std::string, std::vector<float>> images_a, images_b;
  const auto keyed = [](const Ledger& ledger, auto& images) {
    for (auto& row : ledger.images())
      images[str(row.attack, "/", row.round, "/", row.sample)] = std::move(row.x_adv);
  };
  keyed(a, images_a);
  keyed(b, images_b);
  const auto differs = [&](const auto&, const auto&) { ++out.images_differ; };
  zip(images_a, images_b, differs, differs,
      [&](const auto&, const auto& u, const auto& v) { out.images_differ += u != v; });
  out.certificates_differ = differing_certificates(a, b);
  return out;
}

nlohmann::json to_json(const LedgerDiff& diff) {
  auto discordant = nlohmann::json::array();
  for (const auto& row : diff.discordant)
    discordant.push_back({{"sample", row.sample}, {"a", row.a}, {"b", row.b}});
  return {{"equal", diff.empty()},
          {"identity", diff.identity},
          {"environment", diff.environment},
          {"samples",
           {{"only_a", diff.samples_only_a},
            {"only_b", diff.samples_only_b},
            {"differ", diff.samples_differ}}},
          {"attempts",
           {{"only_a", diff.attempts_only_a},
            {"only_b", diff.attempts_only_b},
            {"differ", diff.attempts_differ},
            {"columns", diff.columns}}},
          {"images_differ", diff.images_differ},
          {"certificates_differ", diff.certificates_differ},
          {"discordant", discordant}};
}

std::string to_text(const LedgerDiff& diff, std::size_t rows) {
  std::string text;
  for (const auto& line : diff.environment) text += line + " (timings and environment aside)\n";
  if (diff.empty()) return text + "equal\n";
  for (const auto& line : diff.identity) text += line + "\n";
  const auto counts = [&](const char* what, auto only_a, auto only_b, auto differ) {
    if (only_a + only_b + differ)
      text += str(what, ": ", only_a, " only in the first, ", only_b, " only in the second, ",
                  differ, " differ\n");
  };
  counts("samples", diff.samples_only_a, diff.samples_only_b, diff.samples_differ);
  counts("attempts", diff.attempts_only_a, diff.attempts_only_b, diff.attempts_differ);
  std::string columns;
  for (const auto& column : diff.columns) columns += (columns.empty() ? "" : ", ") + column;
  if (!columns.empty()) text += "columns that differ: " + columns + "\n";
  if (diff.images_differ) text += str("kept images that differ: ", diff.images_differ, "\n");
  if (diff.certificates_differ)
    text += str("certificates that differ: ", diff.certificates_differ, "\n");
  text += str("discordant verdicts: ", diff.discordant.size(), "\n");
  for (std::size_t i = 0; i < std::min(rows, diff.discordant.size()); ++i)
    text += str("  sample ", diff.discordant[i].sample, ": ", diff.discordant[i].a, " against ",
                diff.discordant[i].b, "\n");
  if (diff.discordant.size() > rows)
    text += str("  ... and ", diff.discordant.size() - rows, " more (--rows)\n");
  return text;
}

}  // namespace namid::eval
