#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

/// A dump is a head and then frames (docs/formats.md, "Dump").
namespace weir::meta {

using DumpRow = std::pair<Bytes, Bytes>;  // key, value

/// Writes frames one behind the other.
class DumpWriter {
 public:
  explicit DumpWriter(int fd) : fd_(fd) {}
  Status begin(std::string_view settings);
  Status add(std::string_view key, std::string_view value);
  /// Without it the file counts as cut short.
  Status finish();
  uint64_t rows() const { return rows_; }
  uint64_t bytes() const { return offset_; }

 private:
  Status flush();

  const int fd_;
  uint64_t offset_ = 0;
  uint64_t rows_ = 0;
  Bytes pending_;
};

/// Reads them. Nothing is believed: Corrupt for what is damaged or cut short.
class DumpReader {
 public:
  explicit DumpReader(int fd) : fd_(fd) {}
  /// The settings row's value. Unsupported: of a newer Weir.
  Result<Bytes> begin();
  /// The rows of the next frame; nothing behind the last.
  Result<std::optional<std::vector<DumpRow>>> next();
  uint64_t rows() const { return rows_; }
  uint64_t bytes() const { return offset_; }

 private:
  Result<Bytes> read_exactly(size_t count);
  Result<Bytes> read_frame();

  const int fd_;
  uint64_t offset_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace weir::meta
