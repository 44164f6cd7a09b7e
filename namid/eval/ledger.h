// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "namid/eval/sqlite.h"

namespace namid::eval {

/// How often a model that draws random numbers was right on one image, of as many draws as the
/// evaluation's verdict_draws.
struct Drawn {
  std::int64_t selection = 0;  ///< of the draws that made the verdict: they choose a sample's image
  std::int64_t right = 0;      ///< of draws made afterwards, which judge the image
  bool voted = false;  ///< most of these gave the label, beyond doubt (eval/drawn_verdicts.h)
  bool operator==(const Drawn&) const = default;
};

/// Natural reading of one sample: the model on the unperturbed image.
struct SampleRow {
  std::uint64_t sample = 0;  ///< sample id
  std::int64_t label = 0;
  std::int64_t prediction = 0;
  bool correct = false;
  double margin = 0;  ///< z_y − max_{c≠y} z_c
  std::optional<Drawn> drawn = {};
  bool operator==(const SampleRow&) const = default;
};

/// What one round of an attack (a restart, or a target and restart) did to one sample, as the
/// verifier saw it.
struct AttemptRow {
  std::uint64_t sample = 0;
  std::int64_t round = 0;
  bool success = false;             ///< verified: inside ball and box, finite, misclassified
  std::int64_t step = 0;            ///< step at which the attack found x_adv, 0 = start point
  std::int64_t prediction = 0;      ///< class at x_adv
  double linf = 0, l2 = 0, l1 = 0;  ///< norms of x_adv − x
  double margin = 0;                ///< z_y − max_{c≠y} z_c at x_adv
  double loss = 0;                  ///< the attack's loss at x_adv
  std::int64_t forwards = 0, backwards = 0;  ///< passes of this sample
  double seconds = 0;      ///< its share of the batch's time; NaN where no timings are kept
  std::string x_adv_hash;  ///< hash64 of the image's float32 bytes, 16 hex digits
  bool refuted = false;    ///< the attack claimed success, the verifier found none
  bool eight_bit = false;  ///< still a success as the nearest 8-bit image inside ball and box
  std::optional<double> wasserstein = {};  ///< mean cost of the coupling, of such budgets alone
  std::optional<Drawn> drawn = {};         ///< of images inside ball and box
  bool operator==(const AttemptRow&) const = default;
};

/// What is proven of one sample (certify/certify.h).
struct CertificateRow {
  std::uint64_t sample = 0;
  bool certified = false;
  double bound = 0;        ///< of z_y − z_rival over all allowed images
  std::int64_t rival = 0;  ///< the class that comes nearest
  double threshold = 0;    ///< what the bound has to exceed
  double slack = 0;        ///< about what float32 logits can be off by
  double seconds = 0;      ///< its share of the batch's time; NaN where no timings are kept
  bool operator==(const CertificateRow&) const = default;
};

/// An adversarial image kept for the gallery.
struct ImageRow {
  std::string attack;
  std::int64_t round = 0;
  std::uint64_t sample = 0;
  bool success = false;
  std::vector<float> x_adv;
};

/// The evidence of an evaluation, an SQLite file. Schema, version 3:
///   meta(key, value)      "schema" = 3, the identity (what the ledger was computed from) and the
///                         environment it was begun in
///   samples(sample, label, prediction, correct, margin)            one row per sample
///   attempts(attack, round, sample, success, step, prediction, linf, l2, l1, margin, loss,
///            forwards, backwards, x_adv_hash, refuted, eight_bit,
///            wasserstein)                                          one row per sample and round
///   images(attack, round, sample, success, x_adv)   float32 blobs of the few images the gallery
///   shows
///   certificates(sample, certified, bound, rival, threshold, slack)  only in ledgers that have any
///   draws(attack, round, sample, selection, right, voted)   only with "verdict_draws" in the
///   identity; attack '' is the natural image
/// and, in a file of its own beside it, <stem>-timings.sqlite, timings(attack, round, sample,
/// seconds): all that differs between two runs of the same evaluation; certificates have the attack
/// "certificate".
/// Sample ids above 2^63 − 1 appear as the negative integer of the same bits. Columns are only
/// added by later versions, which raise the version number. While it grows the file is in WAL mode,
/// one transaction per compute batch; `finish` rewrites it in the order of the keys, so that equal
/// evaluations end in equal bytes.
///
/// Errors: DataError for a damaged or foreign file, another schema version, or another identity;
/// ResourceError for disk, permission and lock trouble.
class Ledger {
 public:
  /// Key → value, e.g. {"model", hash}; every entry of either side must agree when a ledger is
  /// opened again, but for those whose key begins with "environment", which are kept as they were
  /// at the beginning, and "certify".
  using Identity = std::map<std::string, std::string>;

  /// Opens the ledger at `path` to go on with it, or creates it. DataError names the entry of
  /// `identity` that differs.
  Ledger(const std::filesystem::path& path, const Identity& identity);
  /// Opens an existing ledger for reading.
  static Ledger open(const std::filesystem::path& path);
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  ~Ledger();

  Identity identity() const;
  std::vector<SampleRow> samples() const;  ///< in order of the stored id
  /// In order of round, then stored id.
  std::vector<AttemptRow> attempts(const std::string& attack) const;
  std::vector<std::string> attacks() const;
  /// The image kept for a sample, empty if there is none.
  std::vector<float> image(const std::string& attack, std::uint64_t sample) const;
  std::vector<ImageRow> images() const;
  std::vector<CertificateRow> certificates() const;  ///< in order of the stored id

  /// One batch: rows added while the transaction lives are stored together by commit(), or not at
  /// all. A row that is there already is a DataError.
  [[nodiscard]] Transaction begin() { return Transaction(*database_); }
  void add(const SampleRow& row);
  void add(const std::string& attack, const AttemptRow& row);
  /// Makes the table of certificates if it is not there, and keeps what they are computed from as
  /// entry "certify" of the identity. DataError if it is there and says something else.
  void expect_certificates(const std::string& computed_from);
  void add(const CertificateRow& row);
  /// Keeps the image if it is among the `most` of the lowest stored ids of its attack, round and
  /// kind (success or not).
  void add_image(const std::string& attack, const AttemptRow& row, std::span<const float> x_adv,
                 std::int64_t most);

  /// Nothing more will be added: keeps the last image of a sample, of each attack and kind the
  /// `images` lowest ids, and rewrites the file compactly and atomically.
  void finish(std::int64_t images);

 private:
  struct Statements;
  Ledger(std::filesystem::path path, std::unique_ptr<Database> database);
  void create_schema(const Identity& identity);
  void check_schema() const;
  bool attach_timings(bool create);
  void create_draws();
  bool has_draws() const;
  void add_draws(const std::string& attack, std::int64_t round, std::uint64_t sample,
                 const Drawn& drawn);
  /// Of an attack, '' for the natural images, by (round, sample).
  std::map<std::pair<std::int64_t, std::uint64_t>, Drawn> draws(const std::string& attack) const;

  std::filesystem::path path_;
  bool timed_ = false;
  std::unique_ptr<Database> database_;  // before the statements: they must go first
  std::unique_ptr<Statements> statements_;
};

/// "<folder>/<stem>-timings.sqlite" of a ledger's path.
std::filesystem::path timings_path(const std::filesystem::path& ledger);

/// hash64 of `count` floats' bytes as 16 lower-case hexadecimal digits.
std::string hash_hex(const float* values, std::size_t count);
/// 16 lower-case hexadecimal digits.
std::string hex16(std::uint64_t value);

}  // namespace namid::eval
