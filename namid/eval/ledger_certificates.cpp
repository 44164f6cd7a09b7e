// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/ledger.h"

namespace namid::eval {
namespace {

constexpr const char* kTable = "certificates";
constexpr const char* kMadeFrom = "certify";
constexpr const char* kCreate =
    "CREATE TABLE certificates(sample INTEGER PRIMARY KEY, certified INTEGER NOT NULL, "
    "bound REAL NOT NULL, rival INTEGER NOT NULL, threshold REAL NOT NULL, slack REAL NOT NULL)";
constexpr const char* kTimed = "certificate";  // in the place of an attack's name

bool has_certificates(const Database& database) {
  Statement query(database, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  query.bind(1, kTable);
  return query.next();
}

}  // namespace

void Ledger::expect_certificates(const std::string& computed_from) {
  if (has_certificates(*database_)) {
    const auto held = identity()[kMadeFrom];
    if (held != computed_from)
      throw DataError(str(path_.string(), ": certify differs: this run has '", computed_from,
                          "', the ledger holds '", held, "'; start a new run instead"));
    return;
  }
  Transaction transaction(*database_);
  database_->execute(kCreate);
  Statement(*database_, "INSERT OR REPLACE INTO meta VALUES(?,?)").run(kMadeFrom, computed_from);
  transaction.commit();
}

void Ledger::add(const CertificateRow& row) {
  const auto sample = static_cast<std::int64_t>(row.sample);
  Statement(*database_, "INSERT INTO certificates VALUES(?,?,?,?,?,?)")
      .run(sample, std::int64_t{row.certified}, row.bound, row.rival, row.threshold, row.slack);
  if (!std::isnan(row.seconds))
    Statement(*database_, "INSERT OR REPLACE INTO timing.timings VALUES(?,?,?,?)")
        .run(kTimed, std::int64_t{0}, sample, row.seconds);
}

std::vector<CertificateRow> Ledger::certificates() const {
  std::vector<CertificateRow> rows;
  if (!has_certificates(*database_)) return rows;
  Statement query(
      *database_,
      std::string("SELECT c.sample, certified, bound, rival, threshold, slack, ") +
          (timed_ ? "t.seconds FROM certificates c LEFT JOIN timing.timings t ON t.attack = ? AND "
                    "t.sample = c.sample"
                  : "NULL FROM certificates c WHERE ? <> ''") +
          " ORDER BY c.sample");
  query.bind(1, kTimed);
  while (query.next())
    rows.push_back({.sample = static_cast<std::uint64_t>(query.integer(0)),
                    .certified = query.integer(1) != 0,
                    .bound = query.number(2),
                    .rival = query.integer(3),
                    .threshold = query.number(4),
                    .slack = query.number(5),
                    .seconds = query.number(6)});
  return rows;
}

}  // namespace namid::eval
