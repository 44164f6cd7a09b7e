// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace namid::eval {

/// Owner of one SQLite connection. Every failure is an exception that names the file: DataError for
/// a damaged or foreign file, ResourceError for disk, permission, lock and memory trouble.
class Database {
 public:
  enum class Mode { create, existing, read_only };
  Database(const std::filesystem::path& path, Mode mode);

  /// Runs statements that give no rows.
  void execute(const std::string& sql);
  sqlite3* handle() const { return handle_.get(); }
  [[noreturn]] void fail(int code, std::string_view doing) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::string name_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement; must not outlive its database. Parameters count from 1, columns from 0.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);

  void bind(int index, std::int64_t value);
  void bind(int index, double value);  ///< NaN becomes NULL
  void bind(int index, std::string_view value);
  void bind(int index, std::span<const float> value);  ///< blob, native byte order

  /// Steps to the next row; false (and ready to run again) when there is none.
  bool next();
  std::int64_t integer(int column) const;
  double number(int column) const;  ///< NULL becomes NaN
  std::string text(int column) const;
  std::vector<float> floats(int column) const;

  /// Binds all values in order and runs a statement without rows.
  template <class... Values>
  void run(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    while (next()) {
    }
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  void check(int code) const;

  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A write transaction, rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace namid::eval
