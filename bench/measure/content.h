#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace weir::bench {

/// Bytes that no two files share, and that do not compress: every page of a piece is stamped anew, so that nothing is
/// found to be there already.
class Content {
 public:
  explicit Content(size_t piece_bytes);

  /// The next piece; valid until the call after it. Never the same twice in one process.
  std::string_view next();

 private:
  std::vector<char> bytes_;
};

/// What one write(2) of a benchmark carries.
inline constexpr size_t kWriteBytes = 1u << 20;

/// Writes `size` bytes to a descriptor in pieces of kWriteBytes.
Status write_content(int fd, uint64_t size);
/// A new or replaced file of `size` bytes, closed.
Status make_file(const std::string& path, uint64_t size);
/// close(2), with its error.
Status close_file(FileDescriptor fd);
/// unlink(2).
Status remove_path(const std::string& path);

}  // namespace weir::bench
