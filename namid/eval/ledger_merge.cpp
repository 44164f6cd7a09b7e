// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/ledger_merge.h"

#include <charconv>
#include <set>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/eval/identity_difference.h"
#include "namid/eval/shard.h"

namespace namid::eval {
namespace {

Shard shard_of(const std::filesystem::path& path, const Ledger::Identity& identity) {
  const auto found = identity.find("shard");
  if (found == identity.end())
    throw DataError(str(path.string(), ": the ledger of a whole evaluation, not of a shard"));
  return parse_shard(found->second);
}

/// The identity of the whole, the same in every shard.
Ledger::Identity whole_of(Ledger::Identity identity) {
  identity.erase("shard");
  identity.erase("schema");
  return identity;
}

void check_same(const std::filesystem::path& path, const Ledger::Identity& first,
                const Ledger::Identity& other) {
  if (const auto found = difference_of(first, other))
    throw DataError(str(path.string(), ": ", found->key, " differs from the first shard's: '",
                        found->second, "' against '", found->first, "'"));
}

void copy_rows(const Ledger& from, Ledger& to, std::int64_t images) {
  const auto certificates = from.certificates();
  if (!certificates.empty()) to.expect_certificates(from.identity().at("certify"));
  auto batch = to.begin();
  for (const auto& row : from.samples()) to.add(row);
  for (const auto& attack : from.attacks())
    for (const auto& row : from.attempts(attack)) to.add(attack, row);
  for (const auto& image : from.images())
    to.add_image(image.attack,
                 {.sample = image.sample, .round = image.round, .success = image.success},
                 image.x_adv, images);
  for (const auto& row : certificates) to.add(row);
  batch.commit();
}

}  // namespace

Ledger merge_ledgers(const std::vector<std::filesystem::path>& shards,
                     const std::filesystem::path& target) {
  if (shards.empty()) throw OptionError("[ledger] merge: expected at least one ledger");
  if (std::filesystem::exists(target))
    throw OptionError(str("[ledger] merge: ", target.string(), " is there already"));
  std::vector<Ledger> parts;
  std::set<std::int64_t> seen;
  std::int64_t count = 0;
  for (const auto& path : shards) {
    parts.push_back(Ledger::open(path));
    const auto identity = parts.back().identity();
    const auto shard = shard_of(path, identity);
    check_same(path, whole_of(parts.front().identity()), whole_of(identity));
    if (count != 0 && shard.count != count)
      throw DataError(
          str(path.string(), ": one of ", shard.count, " shards, the first is one of ", count));
    count = shard.count;
    if (!seen.insert(shard.index).second)
      throw DataError(
          str(path.string(), ": shard ", shard.index, " of ", count, " is given twice"));
  }
  for (std::int64_t index = 1; index <= count; ++index)
    if (!seen.contains(index))
      throw DataError(str("[ledger] merge: shard ", index, " of ", count, " is missing"));

  const auto whole = whole_of(parts.front().identity());
  std::int64_t images = 0;
  const auto& text = whole.at("gallery");
  std::from_chars(text.data(), text.data() + text.size(), images);
  Ledger merged(target, whole);
  for (const auto& part : parts) copy_rows(part, merged, images);
  merged.finish(images);
  return merged;
}

}  // namespace namid::eval
