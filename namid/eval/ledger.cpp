// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/ledger.h"

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/random.h"

namespace namid::eval {
namespace {

constexpr const char* kSchemaVersion = "1";

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE samples(sample INTEGER PRIMARY KEY, label INTEGER NOT NULL,
  prediction INTEGER NOT NULL, correct INTEGER NOT NULL, margin REAL);
CREATE TABLE attempts(sample INTEGER NOT NULL, attack TEXT NOT NULL, success INTEGER NOT NULL,
  step INTEGER NOT NULL, prediction INTEGER NOT NULL, linf REAL, l2 REAL, margin REAL, loss REAL,
  forwards INTEGER NOT NULL, backwards INTEGER NOT NULL, seconds REAL NOT NULL,
  x_adv_hash TEXT NOT NULL, refuted INTEGER NOT NULL, PRIMARY KEY(attack, sample)) WITHOUT ROWID;
CREATE TABLE images(sample INTEGER NOT NULL, attack TEXT NOT NULL, x_adv BLOB NOT NULL,
  PRIMARY KEY(attack, sample)) WITHOUT ROWID;
)";

std::int64_t to_key(std::uint64_t sample) {
  return static_cast<std::int64_t>(sample);
}

bool has_table(const Database& database, std::string_view name) {
  Statement query(database, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  query.bind(1, name);
  return query.next();
}

bool is_empty(const Database& database) {
  return !Statement(database, "SELECT 1 FROM sqlite_master LIMIT 1").next();
}

void check_identity(const std::string& name, const Ledger::Identity& held,
                    const Ledger::Identity& expected) {
  for (const auto& [key, value] : expected) {
    const auto entry = held.find(key);
    const std::string got = entry == held.end() ? "nothing" : entry->second;
    if (got != value)
      throw DataError(str(name, ": ", key, " differs: this evaluation has '", value,
                          "', the ledger holds '", got, "'; start a new run instead"));
  }
}

}  // namespace

struct Ledger::Statements {
  explicit Statements(const Database& database)
      : add_sample(database, "INSERT INTO samples VALUES(?,?,?,?,?)"),
        add_attempt(database, "INSERT INTO attempts VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
        add_image(database, "INSERT INTO images VALUES(?,?,?)") {}
  Statement add_sample, add_attempt, add_image;
};

Ledger::Ledger(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Ledger::Ledger(const std::filesystem::path& path, const Identity& identity)
    : database_(std::make_unique<Database>(path, Database::Mode::create)) {
  database_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (is_empty(*database_)) {
    create_schema(identity);
  } else {
    check_schema(path.string());
    check_identity(path.string(), this->identity(), identity);
  }
  statements_ = std::make_unique<Statements>(*database_);
}

Ledger Ledger::open(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) throw DataError(str(path.string(), ": no such ledger"));
  Ledger ledger(std::make_unique<Database>(path, Database::Mode::read_only));
  ledger.check_schema(path.string());
  return ledger;
}

void Ledger::create_schema(const Identity& identity) {
  Transaction transaction(*database_);
  database_->execute(kSchema);
  Statement insert(*database_, "INSERT INTO meta VALUES(?,?)");
  insert.run("schema", kSchemaVersion);
  for (const auto& [key, value] : identity) insert.run(key, value);
  transaction.commit();
}

void Ledger::check_schema(const std::string& name) const {
  if (!has_table(*database_, "meta")) throw DataError(str(name, ": not a namid ledger"));
  const auto held = identity();
  const auto version = held.find("schema");
  if (version == held.end() || version->second != kSchemaVersion)
    throw DataError(str(name, ": expected ledger schema ", kSchemaVersion, ", got ",
                        version == held.end() ? "none" : version->second));
  Statement check(*database_, "PRAGMA quick_check(1)");
  if (check.next() && check.text(0) != "ok")
    throw DataError(str(name, ": the ledger is damaged: ", check.text(0)));
}

Ledger::Identity Ledger::identity() const {
  Identity entries;
  Statement query(*database_, "SELECT key, value FROM meta");
  while (query.next()) entries[query.text(0)] = query.text(1);
  return entries;
}

std::vector<SampleRow> Ledger::samples() const {
  std::vector<SampleRow> rows;
  Statement query(*database_,
                  "SELECT sample, label, prediction, correct, margin FROM samples ORDER BY sample");
  while (query.next())
    rows.push_back({.sample = static_cast<std::uint64_t>(query.integer(0)),
                    .label = query.integer(1),
                    .prediction = query.integer(2),
                    .correct = query.integer(3) != 0,
                    .margin = query.number(4)});
  return rows;
}

std::vector<AttemptRow> Ledger::attempts(const std::string& attack) const {
  std::vector<AttemptRow> rows;
  Statement query(*database_,
                  "SELECT sample, success, step, prediction, linf, l2, margin, loss, forwards, "
                  "backwards, seconds, x_adv_hash, refuted FROM attempts WHERE attack = ? "
                  "ORDER BY sample");
  query.bind(1, attack);
  while (query.next())
    rows.push_back({.sample = static_cast<std::uint64_t>(query.integer(0)),
                    .success = query.integer(1) != 0,
                    .step = query.integer(2),
                    .prediction = query.integer(3),
                    .linf = query.number(4),
                    .l2 = query.number(5),
                    .margin = query.number(6),
                    .loss = query.number(7),
                    .forwards = query.integer(8),
                    .backwards = query.integer(9),
                    .seconds = query.number(10),
                    .x_adv_hash = query.text(11),
                    .refuted = query.integer(12) != 0});
  return rows;
}

std::vector<std::string> Ledger::attacks() const {
  std::vector<std::string> names;
  Statement query(*database_, "SELECT DISTINCT attack FROM attempts ORDER BY attack");
  while (query.next()) names.push_back(query.text(0));
  return names;
}

std::vector<float> Ledger::image(const std::string& attack, std::uint64_t sample) const {
  Statement query(*database_, "SELECT x_adv FROM images WHERE attack = ? AND sample = ?");
  query.bind(1, attack);
  query.bind(2, to_key(sample));
  return query.next() ? query.floats(0) : std::vector<float>();
}

void Ledger::add(const SampleRow& row) {
  statements_->add_sample.run(to_key(row.sample), row.label, row.prediction,
                              std::int64_t{row.correct}, row.margin);
}

void Ledger::add(const std::string& attack, const AttemptRow& row) {
  statements_->add_attempt.run(to_key(row.sample), attack, std::int64_t{row.success}, row.step,
                               row.prediction, row.linf, row.l2, row.margin, row.loss, row.forwards,
                               row.backwards, row.seconds, row.x_adv_hash,
                               std::int64_t{row.refuted});
}

void Ledger::add_image(const std::string& attack, std::uint64_t sample,
                       std::span<const float> x_adv) {
  statements_->add_image.run(to_key(sample), attack, x_adv);
}

std::string hex16(std::uint64_t value) {
  std::string digits(16, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value >>= 4)
    *digit = "0123456789abcdef"[value & 15];
  return digits;
}

std::string hash_hex(const float* values, std::size_t count) {
  return hex16(hash64(values, count * sizeof(float)));
}

}  // namespace namid::eval
