#pragma once

#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "object/s3/http.h"

namespace weir::object {

class CurlTransfer;

/// HTTP/1.1 by libcurl. One thread drives all transfers and keeps their connections for the next ones; callers block
/// until theirs is done. Bytes go from libcurl's buffer into HttpRequest::into, and from HttpRequest::body into
/// libcurl's buffer: one copy each, beside the kernel's. Proxies are those of the environment (http_proxy, https_proxy,
/// no_proxy).
class CurlHttp : public Http {
 public:
  struct Options {
    size_t connections = 0;  // at once; further callers wait for one
    std::string ca_file;     // whom TLS trusts; empty: whom the system trusts
    std::string user_agent;
  };

  /// Requires: options.connections > 0.
  static Result<std::unique_ptr<CurlHttp>> create(Options options);
  /// Transfers under way end as Unavailable. Requires: nobody calls send() any more who did not before.
  ~CurlHttp() override;

  Result<HttpReply> send(const HttpRequest& request) override;

 private:
  CurlHttp(Options options, void* multi);

  /// A place among `connections`, given back by leave(). Timeout when none becomes free in time.
  Status enter(int64_t timeout_ms);
  void leave();
  /// A handle that kept its buffers from the last transfer, or a new one.
  void* take_handle();
  void keep_handle(void* handle);

  void run();
  /// Hands what was asked for to libcurl. False: it is time to stop.
  bool begin_waiting();
  void end_finished();
  void end(void* handle, int outcome);
  void end_all();

  const Options options_;
  void* const multi_;                       // used by thread_ only, but for waking it
  std::map<void*, CurlTransfer*> running_;  // by handle; thread_ only

  Mutex mutex_;
  ConditionVariable left_;
  std::deque<CurlTransfer*> waiting_ GUARDED_BY(mutex_);
  std::vector<void*> idle_handles_ GUARDED_BY(mutex_);
  size_t entered_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir::object
