#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "fuse/protocol.h"

namespace weir::fuse {

/// Reads the body of a request piece by piece. The body is not trusted to be well formed: a read past its end sets
/// failed() and yields zeros or an empty string, so that callers check once, after reading all they want.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body) : rest_(body) {}

  /// A copy of the next struct, so that its alignment in the buffer does not matter.
  template <class T>
  T take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    std::string_view piece = bytes(sizeof(T));
    if (!failed_) std::memcpy(&value, piece.data(), sizeof(T));
    return value;
  }

  /// The next NUL-terminated name, without its NUL; borrowed. Fails on an empty one.
  std::string_view name();
  /// As name(), but an empty one is fine (the target of a symlink is checked by who makes it).
  std::string_view text();
  /// The next `count` bytes; borrowed.
  std::string_view bytes(size_t count);
  /// All that is left; borrowed.
  std::string_view rest() { return bytes(rest_.size()); }

  bool failed() const { return failed_; }
  bool ok() const { return !failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

/// `body` without the extensions behind it; all of it when header.total_extlen is 0 or a lie.
std::string_view without_extensions(const fuse_in_header& header, std::string_view body);

}  // namespace weir::fuse
