// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/ledger.h"

namespace namid::eval {

void Ledger::create_draws() {
  database_->execute(
      "CREATE TABLE draws(attack TEXT NOT NULL, round INTEGER NOT NULL, sample INTEGER NOT NULL, "
      "selection INTEGER NOT NULL, right INTEGER NOT NULL, voted INTEGER NOT NULL, "
      "PRIMARY KEY(attack, round, sample)) WITHOUT ROWID");
}

bool Ledger::has_draws() const {
  return Statement(*database_,
                   "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'draws'")
      .next();
}

void Ledger::add_draws(const std::string& attack, std::int64_t round, std::uint64_t sample,
                       const Drawn& drawn) {
  Statement(*database_, "INSERT INTO draws VALUES(?,?,?,?,?,?)")
      .run(attack, round, static_cast<std::int64_t>(sample), drawn.selection, drawn.right,
           std::int64_t{drawn.voted});
}

std::map<std::pair<std::int64_t, std::uint64_t>, Drawn> Ledger::draws(
    const std::string& attack) const {
  std::map<std::pair<std::int64_t, std::uint64_t>, Drawn> rows;
  Statement query(*database_,
                  "SELECT round, sample, selection, right, voted FROM draws WHERE attack = ?");
  query.bind(1, attack);
  while (query.next())
    rows[{query.integer(0), static_cast<std::uint64_t>(query.integer(1))}] = {
        .selection = query.integer(2), .right = query.integer(3), .voted = query.integer(4) != 0};
  return rows;
}

}  // namespace namid::eval
