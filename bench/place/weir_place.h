#pragma once

#include <memory>

#include "bench/place/place.h"

namespace weir::bench {

struct WeirOptions {
  std::string program;  // the weir binary
  std::string scratch;  // a directory for the volume, its cache and its store
  bool passthrough = true;
  std::string store_url;  // empty: a directory in `scratch`
};

/// A new volume in a scratch directory, mounted by the real program; unmounted by the destructor.
class WeirPlace : public Place {
 public:
  /// Blocks: until it is mounted.
  static Result<std::unique_ptr<WeirPlace>> mount(const WeirOptions& options);
  ~WeirPlace() override;

  Status settle() override;
  Status refill(const std::string& path) override;
  /// Blocks: until the file is in the object store.
  Status store(const std::string& path);
  /// Bytes that are not in the object store yet.
  Result<uint64_t> backlog_bytes() const;
  Status evict(const std::string& path) override;
  /// What was removed goes, from cache and store.
  Status collect();
  std::optional<pid_t> server() const override { return server_; }
  Result<std::optional<uint64_t>> local_bytes() const override;
  /// Whether the program knows the choice between kernel and daemon for reads, and was told to let the kernel read.
  bool passthrough() const { return passthrough_; }

 private:
  WeirPlace(const WeirOptions& options, bool passthrough, pid_t server);

  const WeirOptions options_;
  const bool passthrough_;
  const pid_t server_;
};

}  // namespace weir::bench
