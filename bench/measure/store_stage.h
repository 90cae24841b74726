#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/options.h"
#include "bench/place/weir_place.h"
#include "bench/plain/plain_client.h"
#include "testing/s3/fault_server.h"

namespace weir::bench {

/// An S3 server in memory with a volume mounted over it, and objects of the plain client beside it.
class StoreStage {
 public:
  /// Blocks: until it is mounted.
  static Result<std::unique_ptr<StoreStage>> set(const Options& options);
  ~StoreStage();

  WeirPlace& weir() { return *weir_; }
  /// What is in the store now stays; what comes later goes at the next call.
  void keep_objects();
  void drop_newer_objects();
  /// While true, the server does nothing.
  void hold(bool holding) { server_->set_holding(holding); }
  /// Puts new objects of 4 MiB, `bytes` in all. MB/s.
  Result<double> plain_upload(uint64_t bytes, size_t parallel);
  /// Gets the objects of the last plain_upload() into a file. MB/s.
  Result<double> plain_download(size_t parallel);

 private:
  StoreStage() = default;

  std::string scratch_;
  std::unique_ptr<testing::s3::FaultServer> server_;
  std::unique_ptr<WeirPlace> weir_;
  PlainTarget target_;
  std::vector<PlainObject> objects_;
  std::set<std::string> kept_;  // keys of Weir's own
};

}  // namespace weir::bench
