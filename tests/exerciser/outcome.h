#pragma once

#include <cerrno>
#include <cstdint>
#include <string>

namespace weir::exerciser {

// The mount, and the plain directory beside it.
inline constexpr int kWeir = 0;
inline constexpr int kPlain = 1;

// What a system call returned.
struct Outcome {
  int64_t value = 0;
  int error = 0;

  // Requires: called right after the call, whose errno still stands.
  static Outcome of(int64_t returned) { return returned < 0 ? Outcome{-1, errno} : Outcome{returned, 0}; }
  bool ok() const { return value >= 0; }
  bool operator==(const Outcome&) const = default;
  std::string text() const;
};

// The same call on both sides.
struct Pair {
  Outcome weir;
  Outcome plain;

  // Both succeeded.
  bool ok() const { return weir.ok() && plain.ok(); }
  bool same() const { return weir == plain; }
  // One value cannot be compared, such as a descriptor: only whether, and why not.
  bool same_error() const { return weir.error == plain.error; }
};

}  // namespace weir::exerciser
