// SPDX-License-Identifier: Apache-2.0
//
// Image, compression and SQLite functions for a wheel that is linked to none of these libraries, so
// that it can be imported where one of them is missing: each function is a jump through a slot that
// is filled, when the extension is loaded, from the library if it is there, and otherwise with a
// function that throws ResourceError and says what to install. (Debian's static archives are not
// position-independent, so that they cannot be linked into an extension.) The symbols are hidden.

#include <dlfcn.h>

#include <array>

#include "namid/core/error.h"
#include "namid/core/format.h"

#if defined(__x86_64__)
#define NAMID_JUMP(name) "jmp *namid_slot_" name "(%rip)\n"
#elif defined(__aarch64__)
#define NAMID_JUMP(name) \
  "adrp x16, namid_slot_" name "\nldr x16, [x16, :lo12:namid_slot_" name "]\nbr x16\n"
#else
#error "no jump is written for this processor: build without NAMID_LAZY_LIBRARIES"
#endif

// A jump called `name`, and its slot.
#define NAMID_FUNCTION(name)                                                           \
  extern "C" {                                                                         \
  [[gnu::visibility("hidden"), gnu::used]] void* namid_slot_##name = nullptr;          \
  }                                                                                    \
  asm(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", %function\n" #name \
      ":\n" NAMID_JUMP(#name) ".size " #name ", . - " #name "\n");

// clang-format off
#define NAMID_ZLIB(F)                                                                        \
  F(compress2) F(compressBound) F(crc32) F(crc32_z) F(deflate) F(deflateBound) F(deflateEnd) \
  F(deflateInit2_) F(inflate) F(inflateEnd) F(inflateInit2_) F(inflateReset)

#define NAMID_PNG(F)                                                                          \
  F(png_create_info_struct) F(png_create_read_struct) F(png_destroy_read_struct) F(png_error) \
  F(png_get_channels) F(png_get_error_ptr) F(png_get_image_height) F(png_get_image_width)     \
  F(png_get_io_ptr) F(png_image_write_to_memory) F(png_longjmp) F(png_read_end)               \
  F(png_read_image) F(png_read_info) F(png_read_update_info) F(png_set_chunk_malloc_max)      \
  F(png_set_expand) F(png_set_interlace_handling) F(png_set_longjmp_fn) F(png_set_read_fn)    \
  F(png_set_scale_16) F(png_set_strip_alpha) F(png_set_user_limits) F(png_sig_cmp)

#define NAMID_SQLITE(F)                                                                          \
  F(sqlite3_bind_blob64) F(sqlite3_bind_double) F(sqlite3_bind_int64) F(sqlite3_bind_text)       \
  F(sqlite3_busy_timeout) F(sqlite3_close_v2) F(sqlite3_column_blob) F(sqlite3_column_bytes)     \
  F(sqlite3_column_double) F(sqlite3_column_int64) F(sqlite3_column_text) F(sqlite3_column_type) \
  F(sqlite3_errmsg) F(sqlite3_errstr) F(sqlite3_exec) F(sqlite3_finalize) F(sqlite3_open_v2)     \
  F(sqlite3_prepare_v2) F(sqlite3_reset) F(sqlite3_step)

#define NAMID_JPEG(F)                                                    \
  F(tjDecompress2) F(tjDecompressHeader3) F(tjDestroy) F(tjGetErrorCode) \
  F(tjGetErrorStr2) F(tjInitDecompress)
// clang-format on

NAMID_ZLIB(NAMID_FUNCTION)
NAMID_PNG(NAMID_FUNCTION)
NAMID_SQLITE(NAMID_FUNCTION)
NAMID_JPEG(NAMID_FUNCTION)

namespace namid::python {
namespace {

struct Library {
  const char* file;
  const char* package;
};
constexpr std::array kLibraries{
    Library{"libz.so.1", "zlib1g"}, Library{"libpng16.so.16", "libpng16-16"},
    Library{"libsqlite3.so.0", "libsqlite3-0"}, Library{"libturbojpeg.so.0", "libturbojpeg0"}};
enum { kZlib, kPng, kSqlite, kJpeg };

template <int kWhich>
[[noreturn]] void missing() {
  const auto& [file, package] = kLibraries[kWhich];
  throw ResourceError(str("this needs ", file, ", which is not installed or too old; install it, ",
                          "e.g. apt install ", package));
}

template <int kWhich>
void fill(void** slot, const char* name) {
  static void* const library = dlopen(kLibraries[kWhich].file, RTLD_LAZY | RTLD_LOCAL);
  void* const found = library ? dlsym(library, name) : nullptr;
  *slot = found ? found : reinterpret_cast<void*>(&missing<kWhich>);
}

[[gnu::constructor]] void fill_all() {
#define NAMID_FILL_ZLIB(name) fill<kZlib>(&namid_slot_##name, #name);
#define NAMID_FILL_PNG(name) fill<kPng>(&namid_slot_##name, #name);
#define NAMID_FILL_SQLITE(name) fill<kSqlite>(&namid_slot_##name, #name);
#define NAMID_FILL_JPEG(name) fill<kJpeg>(&namid_slot_##name, #name);
  NAMID_ZLIB(NAMID_FILL_ZLIB)
  NAMID_PNG(NAMID_FILL_PNG)
  NAMID_SQLITE(NAMID_FILL_SQLITE)
  NAMID_JPEG(NAMID_FILL_JPEG)
}

}  // namespace
}  // namespace namid::python
