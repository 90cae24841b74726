#pragma once

#include <string>

namespace weir::testing {

/// A new empty directory under $TMPDIR, removed with its content by the destructor. Aborts when it cannot be made.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  /// Absolute, without a trailing slash.
  const std::string& path() const { return path_; }
  /// path() + "/" + name.
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// A tmpfs of a fixed size over an existing directory, so that a test meets a full disk or a disk that goes away.
/// Needs root: mounted() is false without, and the caller says that it skips.
class SmallDisk {
 public:
  SmallDisk(std::string path, size_t bytes);
  ~SmallDisk() { unmount(); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  /// The directory below shows again, as after a disk failed to mount.
  void unmount();

 private:
  const std::string path_;
  bool mounted_ = false;
};

}  // namespace weir::testing
