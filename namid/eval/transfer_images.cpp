// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/transfer_images.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "namid/attacks/transfer.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/claims.h"
#include "namid/eval/identity.h"
#include "namid/eval/surrogate.h"

namespace namid::eval {
namespace {

constexpr const char* kMadeSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE made(attack TEXT NOT NULL, round INTEGER NOT NULL, sample INTEGER NOT NULL,
  step INTEGER NOT NULL, found INTEGER NOT NULL, loss REAL, forwards INTEGER NOT NULL,
  backwards INTEGER NOT NULL, x_adv BLOB NOT NULL, PRIMARY KEY(attack, round, sample));
)";

std::int64_t key_of(std::uint64_t sample) {
  return static_cast<std::int64_t>(sample);
}

std::map<std::string, std::string> source_of(const Bench& bench, const Suite& suite) {
  std::map<std::string, std::string> source{
      {"surrogate", model_sha256(bench)},
      {"data", bench.dataset.sha256()},
      {"seed", str(bench.seed)},
      {"batch", bench.padded ? str("padded ", bench.compute_batch) : "fast"},
      {"precision", suite.precision.empty() ? "float32" : suite.precision}};
  for (const auto& attack : suite.attacks) source["attack " + attack.name] = attack.options;
  return source;
}

void create(Database& database, const std::map<std::string, std::string>& source) {
  Transaction whole(database);
  database.execute(kMadeSchema);
  Statement insert(database, "INSERT INTO meta VALUES(?,?)");
  for (const auto& [key, value] : source) insert.run(key, value);
  whole.commit();
}

void check_source(const std::string& file, const Database& database,
                  std::map<std::string, std::string> source) {
  Statement query(database, "SELECT key, value FROM meta");
  while (query.next()) {
    const auto key = query.text(0), value = query.text(1);
    const auto& own = source[key];
    if (own != value)
      throw DataError(str(file, ": ", key, " differs: these attacks have '", own,
                          "', the images were made with '", value, "'; start a new run instead"));
  }
}

/// Attacks whose images do not depend on the model that judges.
bool can_share(const AttackEntry& attack) {
  return !attack.sequential && !attack.share && !attack.learn &&
         attack.budget.norm != attacks::Norm::wasserstein;
}

}  // namespace

TransferImages::TransferImages(const std::filesystem::path& path, const Bench& bench,
                               const Suite& suite)
    : surrogate_(bench.model),
      precision_(suite.precision),
      dataset_(bench.dataset),
      database_(path, Database::Mode::create) {
  database_.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  const auto source = source_of(bench, suite);
  if (Statement(database_, "SELECT 1 FROM sqlite_master LIMIT 1").next()) {
    check_source(path.string(), database_, source);
  } else {
    create(database_, source);
  }
  for (std::int64_t row = 0; row < dataset_.size(); ++row)
    row_of_[dataset_.ids[static_cast<std::size_t>(row)]] = row;
}

TransferImages::Ids& TransferImages::held(const std::string& attack, int round) {
  const auto [found, is_new] = held_.try_emplace({attack, round});
  if (is_new) {
    Statement query(database_, "SELECT sample FROM made WHERE attack = ? AND round = ?");
    query.bind(1, std::string_view(attack));
    query.bind(2, std::int64_t{round});
    while (query.next()) found->second.insert(static_cast<std::uint64_t>(query.integer(0)));
  }
  return found->second;
}

attacks::AttackResult TransferImages::look_up(const AttackEntry& attack,
                                              const attacks::Context& context) {
  const int round = context.round.value_or(0);
  const auto& there = held(attack.name, round);
  std::vector<std::int64_t> missing;
  Ids asked;
  for (const auto id : context.ids)
    if (asked.insert(id).second && !there.contains(id)) missing.push_back(row_of_.at(id));
  if (!missing.empty()) make(attack, std::move(missing), context);
  return read(attack.name, round, context.ids);
}

/// Images of `rows`, and of as many others as the batch has room for.
void TransferImages::make(const AttackEntry& attack, std::vector<std::int64_t> rows,
                          const attacks::Context& context) {
  const int round = context.round.value_or(0);
  const auto& there = held(attack.name, round);
  const auto asked = rows.size();
  const auto size = context.compact ? asked : context.ids.size();
  const Ids wanted = [&] {
    Ids ids;
    for (const auto row : rows) ids.insert(dataset_.ids[static_cast<std::size_t>(row)]);
    return ids;
  }();
  for (std::int64_t row = 0; row < dataset_.size() && rows.size() < size; ++row) {
    const auto id = dataset_.ids[static_cast<std::size_t>(row)];
    if (!there.contains(id) && !wanted.contains(id)) rows.push_back(row);
  }
  const auto device = surrogate_.device();
  const auto batch_of = [&](Rows some) {
    return padded_batch(dataset_, some, static_cast<std::int64_t>(size), device);
  };
  auto batch = batch_of(rows);
  attacks::AttackResult result;
  try {
    result = run(attack, batch, context);
  } catch (const NumericError&) {  // it may be that of a row that nobody asked for
    if (rows.size() == asked) throw;
    rows.resize(asked);
    batch = batch_of(rows);
    result = run(attack, batch, context);
  }
  store(attack, round, batch.ids, rows.size(), result);
}

attacks::AttackResult TransferImages::run(const AttackEntry& attack, const data::Batch& batch,
                                          const attacks::Context& context) const {
  auto own = context;
  own.ids = batch.ids;
  return attack.run(surrogate_, batch.x.clone(), batch.y.clone(), own);
}

void TransferImages::store(const AttackEntry& attack, int round, const SampleIds& ids,
                           std::size_t count, const attacks::AttackResult& result) {
  const Claims claims(result);
  const auto images = claims.x_adv().contiguous();
  const auto width = static_cast<std::size_t>(images.numel()) / ids.size();
  auto& there = held(attack.name, round);
  Transaction batch(database_);
  Statement insert(database_, "INSERT INTO made VALUES(?,?,?,?,?,?,?,?,?)");
  for (std::size_t i = 0; i < count; ++i) {
    const auto k = static_cast<std::int64_t>(i);
    insert.run(std::string_view(attack.name), std::int64_t{round}, key_of(ids[i]), claims.step(k),
               claims.round(k, round), claims.loss(k), claims.forwards(k), claims.backwards(k),
               std::span<const float>(images.const_data_ptr<float>() + i * width, width));
  }
  batch.commit();
  there.insert(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
  made_ += static_cast<std::int64_t>(count);
}

attacks::AttackResult TransferImages::read(const std::string& attack, int round,
                                           const SampleIds& ids) {
  const auto rows = static_cast<std::int64_t>(ids.size());
  std::vector<std::int64_t> shape = dataset_.shape();
  shape.insert(shape.begin(), rows);
  const auto images = at::empty(shape, at::kFloat);
  const auto width = static_cast<std::size_t>(images.numel()) / ids.size();
  std::vector<std::int64_t> step, found, forwards, backwards;
  std::vector<double> loss;
  Statement query(database_,
                  "SELECT step, found, loss, forwards, backwards, x_adv FROM made WHERE attack = ? "
                  "AND round = ? AND sample = ?");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    query.bind(1, std::string_view(attack));
    query.bind(2, std::int64_t{round});
    query.bind(3, key_of(ids[i]));
    const bool there = query.next();
    const auto x_adv = there ? query.floats(5) : std::vector<float>();
    if (x_adv.size() != width)
      throw DataError(
          str("images of ", attack, ": that of sample ", ids[i], " is missing or of another size"));
    std::copy(x_adv.begin(), x_adv.end(), images.data_ptr<float>() + i * width);
    step.push_back(query.integer(0));
    found.push_back(query.integer(1));
    loss.push_back(query.number(2));
    forwards.push_back(query.integer(3));
    backwards.push_back(query.integer(4));
    while (query.next()) {
    }
  }
  return {.x_adv = images.to(surrogate_.device()),
          .success = {},
          .step = at::tensor(step, at::kLong),
          .loss = at::tensor(loss, at::kDouble),
          .passes = {},
          .round = at::tensor(found, at::kLong),
          .forwards = at::tensor(forwards, at::kLong),
          .backwards = at::tensor(backwards, at::kLong)};
}

Suite through_images(Suite suite, std::shared_ptr<TransferImages> images) {
  suite = through_surrogate(std::move(suite), images->surrogate());
  suite.precision = images->precision();
  for (auto& attack : suite.attacks) {
    if (!can_share(attack)) continue;
    attack.run = [images, made = attack](const models::Classifier& model, const at::Tensor&,
                                         const at::Tensor& y, const attacks::Context& context) {
      auto result = images->look_up(made, context);
      attacks::judge_on(result, model, y, false);
      return result;
    };
  }
  return suite;
}

}  // namespace namid::eval
