// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/ledger.h"

#include <cmath>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/random.h"
#include "namid/eval/identity_difference.h"
#include "namid/io/atomic_file.h"
#include "namid/io/bytes.h"

namespace namid::eval {
namespace {

constexpr const char* kSchemaVersion = "3";

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE samples(sample INTEGER PRIMARY KEY, label INTEGER NOT NULL,
  prediction INTEGER NOT NULL, correct INTEGER NOT NULL, margin REAL);
CREATE TABLE attempts(attack TEXT NOT NULL, round INTEGER NOT NULL, sample INTEGER NOT NULL,
  success INTEGER NOT NULL, step INTEGER NOT NULL, prediction INTEGER NOT NULL, linf REAL, l2 REAL,
  l1 REAL, margin REAL, loss REAL, forwards INTEGER NOT NULL, backwards INTEGER NOT NULL,
  x_adv_hash TEXT NOT NULL, refuted INTEGER NOT NULL, eight_bit INTEGER NOT NULL,
  wasserstein REAL, PRIMARY KEY(attack, round, sample)) WITHOUT ROWID;
CREATE TABLE images(attack TEXT NOT NULL, round INTEGER NOT NULL, sample INTEGER NOT NULL,
  success INTEGER NOT NULL, x_adv BLOB NOT NULL, PRIMARY KEY(attack, round, sample)) WITHOUT ROWID;
)";

constexpr const char* kLastImages =
    "DELETE FROM images WHERE EXISTS (SELECT 1 FROM attempts a WHERE a.attack = images.attack AND "
    "a.sample = images.sample AND a.round > images.round)";
constexpr const char* kLowestImages =
    "DELETE FROM images WHERE (SELECT COUNT(*) FROM images lower WHERE lower.attack = "
    "images.attack "
    "AND lower.success = images.success AND lower.sample < images.sample) >= ?";

constexpr const char* kTimingsSchema =
    "CREATE TABLE IF NOT EXISTS timing.timings(attack TEXT NOT NULL, round INTEGER NOT NULL, "
    "sample "
    "INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY(attack, round, sample)) WITHOUT ROWID";

std::int64_t to_key(std::uint64_t sample) {
  return static_cast<std::int64_t>(sample);
}

/// NULL reads as NaN.
std::optional<double> known(double number) {
  return std::isnan(number) ? std::nullopt : std::optional(number);
}

bool has_table(const Database& database, std::string_view name) {
  Statement query(database, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  query.bind(1, name);
  return query.next();
}

bool is_empty(const Database& database) {
  return !Statement(database, "SELECT 1 FROM sqlite_master LIMIT 1").next();
}

/// Without what is kept as it was at the beginning and what is added at the end.
Ledger::Identity lasting(Ledger::Identity identity) {
  identity.erase("schema");
  identity.erase("certify");
  return identity;
}

void check_identity(const std::string& name, const Ledger::Identity& held,
                    const Ledger::Identity& expected) {
  if (const auto found = difference_of(lasting(expected), lasting(held)))
    throw DataError(str(name, ": ", found->key, " differs: this evaluation has '", found->first,
                        "', the ledger holds '", found->second, "'; start a new run instead"));
}

}  // namespace

struct Ledger::Statements {
  explicit Statements(const Database& database)
      : add_sample(database, "INSERT INTO samples VALUES(?,?,?,?,?)"),
        add_attempt(database, "INSERT INTO attempts VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
        add_timing(database, "INSERT OR REPLACE INTO timing.timings VALUES(?,?,?,?)"),
        add_image(database, "INSERT OR REPLACE INTO images VALUES(?,?,?,?,?)"),
        trim_images(
            database,
            "DELETE FROM images WHERE attack = ?1 AND round = ?2 AND success = ?3 AND sample "
            "NOT IN (SELECT sample FROM images WHERE attack = ?1 AND round = ?2 AND success = "
            "?3 ORDER BY sample LIMIT ?4)") {}
  Statement add_sample, add_attempt, add_timing, add_image, trim_images;
};

Ledger::Ledger(std::filesystem::path path, std::unique_ptr<Database> database)
    : path_(std::move(path)), database_(std::move(database)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

Ledger::Ledger(const std::filesystem::path& path, const Identity& identity)
    : Ledger(path, std::make_unique<Database>(path, Database::Mode::create)) {
  database_->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (is_empty(*database_)) {
    create_schema(identity);
  } else {
    check_schema();
    check_identity(path.string(), this->identity(), identity);
    if (identity.contains("verdict_draws") && !has_draws())
      throw DataError(str(path.string(),
                          ": has no table 'draws'; an earlier version began it, which kept no "
                          "draws; start a new run instead"));
  }
  timed_ = attach_timings(true);
  statements_ = std::make_unique<Statements>(*database_);
}

Ledger Ledger::open(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) throw DataError(str(path.string(), ": no such ledger"));
  Ledger ledger(path, std::make_unique<Database>(path, Database::Mode::read_only));
  ledger.check_schema();
  ledger.timed_ = ledger.attach_timings(false);
  return ledger;
}

bool Ledger::attach_timings(bool create) {
  const auto path = timings_path(path_);
  if (!create && !std::filesystem::exists(path)) return false;
  Statement(*database_, "ATTACH ? AS timing").run(path.string());
  if (create)
    database_->execute(str("PRAGMA timing.journal_mode = WAL; PRAGMA timing.synchronous = NORMAL; ",
                           kTimingsSchema));
  return true;
}

void Ledger::finish(std::int64_t images) {
  {
    auto batch = begin();
    Statement(*database_, kLastImages).run();
    Statement(*database_, kLowestImages).run(images);
    batch.commit();
  }
  const auto temporary = path_.string() + ".finished";
  std::filesystem::remove(temporary);
  statements_.reset();
  // VACUUM counts this number on: a ledger finished twice would show it.
  database_->execute("PRAGMA main.schema_version = 1");
  Statement(*database_, "VACUUM main INTO ?").run(temporary);
  // Without its write-ahead log nothing of the old file can be taken for part of the new one.
  database_->execute("PRAGMA main.journal_mode = DELETE; PRAGMA timing.journal_mode = DELETE");
  database_.reset();
  io::write_file_atomically(path_, io::as_text(io::read_file(temporary)));
  std::filesystem::remove(temporary);
  *this = open(path_);
}

void Ledger::create_schema(const Identity& identity) {
  Transaction transaction(*database_);
  database_->execute(kSchema);
  Statement insert(*database_, "INSERT INTO meta VALUES(?,?)");
  insert.run("schema", kSchemaVersion);
  for (const auto& [key, value] : identity) insert.run(key, value);
  if (identity.contains("verdict_draws")) create_draws();
  transaction.commit();
}

void Ledger::check_schema() const {
  const auto name = path_.string();
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
  if (!has_draws()) return rows;
  const auto held = draws("");
  for (auto& row : rows)
    if (const auto found = held.find({0, row.sample}); found != held.end())
      row.drawn = found->second;
  return rows;
}

std::vector<AttemptRow> Ledger::attempts(const std::string& attack) const {
  std::vector<AttemptRow> rows;
  Statement query(*database_,
                  str("SELECT a.sample, a.round, success, step, prediction, linf, l2, l1, margin, "
                      "loss, forwards, backwards, x_adv_hash, refuted, eight_bit, wasserstein, ",
                      timed_ ? "t.seconds FROM attempts a LEFT JOIN timing.timings t ON t.attack = "
                               "a.attack AND t.round = a.round AND t.sample = a.sample"
                             : "NULL FROM attempts a",
                      " WHERE a.attack = ? ORDER BY a.round, a.sample"));
  query.bind(1, attack);
  while (query.next())
    rows.push_back({.sample = static_cast<std::uint64_t>(query.integer(0)),
                    .round = query.integer(1),
                    .success = query.integer(2) != 0,
                    .step = query.integer(3),
                    .prediction = query.integer(4),
                    .linf = query.number(5),
                    .l2 = query.number(6),
                    .l1 = query.number(7),
                    .margin = query.number(8),
                    .loss = query.number(9),
                    .forwards = query.integer(10),
                    .backwards = query.integer(11),
                    .seconds = query.number(16),
                    .x_adv_hash = query.text(12),
                    .refuted = query.integer(13) != 0,
                    .eight_bit = query.integer(14) != 0,
                    .wasserstein = known(query.number(15))});
  if (!has_draws()) return rows;
  const auto held = draws(attack);
  for (auto& row : rows)
    if (const auto found = held.find({row.round, row.sample}); found != held.end())
      row.drawn = found->second;
  return rows;
}

std::vector<std::string> Ledger::attacks() const {
  std::vector<std::string> names;
  Statement query(*database_, "SELECT DISTINCT attack FROM attempts ORDER BY attack");
  while (query.next()) names.push_back(query.text(0));
  return names;
}

std::vector<float> Ledger::image(const std::string& attack, std::uint64_t sample) const {
  Statement query(*database_,
                  "SELECT x_adv FROM images WHERE attack = ? AND sample = ? "
                  "ORDER BY round DESC LIMIT 1");
  query.bind(1, attack);
  query.bind(2, to_key(sample));
  return query.next() ? query.floats(0) : std::vector<float>();
}

std::vector<ImageRow> Ledger::images() const {
  std::vector<ImageRow> rows;
  Statement query(*database_, "SELECT attack, round, sample, success, x_adv FROM images");
  while (query.next())
    rows.push_back({.attack = query.text(0),
                    .round = query.integer(1),
                    .sample = static_cast<std::uint64_t>(query.integer(2)),
                    .success = query.integer(3) != 0,
                    .x_adv = query.floats(4)});
  return rows;
}

void Ledger::add(const SampleRow& row) {
  statements_->add_sample.run(to_key(row.sample), row.label, row.prediction,
                              std::int64_t{row.correct}, row.margin);
  if (row.drawn) add_draws("", 0, row.sample, *row.drawn);
}

void Ledger::add(const std::string& attack, const AttemptRow& row) {
  statements_->add_attempt.run(attack, row.round, to_key(row.sample), std::int64_t{row.success},
                               row.step, row.prediction, row.linf, row.l2, row.l1, row.margin,
                               row.loss, row.forwards, row.backwards, row.x_adv_hash,
                               std::int64_t{row.refuted}, std::int64_t{row.eight_bit},
                               row.wasserstein.value_or(std::nan("")));
  if (!std::isnan(row.seconds))
    statements_->add_timing.run(attack, row.round, to_key(row.sample), row.seconds);
  if (row.drawn) add_draws(attack, row.round, row.sample, *row.drawn);
}

void Ledger::add_image(const std::string& attack, const AttemptRow& row,
                       std::span<const float> x_adv, std::int64_t most) {
  const auto kind = std::int64_t{row.success};
  statements_->add_image.run(attack, row.round, to_key(row.sample), kind, x_adv);
  statements_->trim_images.run(attack, row.round, kind, most);
}

std::filesystem::path timings_path(const std::filesystem::path& ledger) {
  return ledger.parent_path() / (ledger.stem().string() + "-timings.sqlite");
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
