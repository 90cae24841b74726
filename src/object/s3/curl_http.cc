#include "object/s3/curl_http.h"

#include <curl/curl.h>
#include <sys/prctl.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "object/s3/curl_transfer.h"

namespace weir::object {

namespace {

/// libcurl is set up once a process, and never taken down: other threads may still use it when main() ends.
bool library_is_ready() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

}  // namespace

Result<std::unique_ptr<CurlHttp>> CurlHttp::create(Options options) {
  CHECK(options.connections > 0);
  if (!library_is_ready()) return error(Code::kInternal, "libcurl cannot be set up");
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) return error(Code::kInternal, "libcurl cannot be set up: it has no memory");
  const auto connections = static_cast<long>(options.connections);
  CHECK(curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK);
  CHECK(curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING)) == CURLM_OK);
  return std::unique_ptr<CurlHttp>(new CurlHttp(std::move(options), multi));
}

CurlHttp::CurlHttp(Options options, void* multi)
    : options_(std::move(options)), multi_(multi), thread_([this] { run(); }) {}

CurlHttp::~CurlHttp() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    left_.notify_all();
  }
  CHECK(curl_multi_wakeup(multi_) == CURLM_OK);
  thread_.join();
  MutexLock lock(mutex_);
  while (entered_ > 0) left_.wait(mutex_);
  for (void* handle : idle_handles_) curl_easy_cleanup(handle);
  curl_multi_cleanup(multi_);
}

Status CurlHttp::enter(int64_t timeout_ms) {
  MutexLock lock(mutex_);
  while (entered_ >= options_.connections && !stopping_) {
    if (!left_.wait_for_ms(mutex_, timeout_ms))
      return error(Code::kTimeout, "all {} connections to the store were busy for {} s", options_.connections,
                   timeout_ms / 1000);
  }
  if (stopping_) return error(Code::kUnavailable, "the store is being closed");
  ++entered_;
  return {};
}

void CurlHttp::leave() {
  MutexLock lock(mutex_);
  --entered_;
  // Under the lock: the destructor may go on as soon as it is free.
  left_.notify_all();
}

void* CurlHttp::take_handle() {
  MutexLock lock(mutex_);
  if (idle_handles_.empty()) return curl_easy_init();
  void* handle = idle_handles_.back();
  idle_handles_.pop_back();
  return handle;
}

void CurlHttp::keep_handle(void* handle) {
  curl_easy_reset(handle);
  MutexLock lock(mutex_);
  idle_handles_.push_back(handle);
}

Result<HttpReply> CurlHttp::send(const HttpRequest& request) {
  CHECK(request.timeout_ms > 0);
  TRY(enter(request.timeout_ms));
  void* handle = take_handle();
  CHECK(handle != nullptr);
  auto exchange = [&] {
    CurlTransfer transfer(request, options_, handle);
    {
      MutexLock lock(mutex_);
      waiting_.push_back(&transfer);
    }
    CHECK(curl_multi_wakeup(multi_) == CURLM_OK);
    return transfer.wait();
  };
  Result<HttpReply> reply = exchange();
  keep_handle(handle);
  leave();
  return reply;
}

void CurlHttp::run() {
  ::prctl(PR_SET_NAME, "weir-s3");
  while (begin_waiting()) {
    int running = 0;
    CURLMcode done = curl_multi_perform(multi_, &running);
    end_finished();
    if (done == CURLM_OK) done = curl_multi_poll(multi_, nullptr, 0, limits::kStorePollMs, nullptr);
    // A bug or no memory: what was under way fails, what comes gets another try.
    if (done != CURLM_OK) {
      log::error("libcurl fails: {}", curl_multi_strerror(done));
      end_all();
    }
  }
  end_all();
}

bool CurlHttp::begin_waiting() {
  std::deque<CurlTransfer*> fresh;
  bool stop = false;
  {
    MutexLock lock(mutex_);
    fresh.swap(waiting_);
    stop = stopping_;
  }
  for (CurlTransfer* transfer : fresh) {
    if (stop) {
      transfer->finish(CURLE_ABORTED_BY_CALLBACK);
    } else if (curl_multi_add_handle(multi_, transfer->handle()) != CURLM_OK) {
      transfer->finish(CURLE_OUT_OF_MEMORY);
    } else {
      running_.emplace(transfer->handle(), transfer);
    }
  }
  return !stop;
}

void CurlHttp::end_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) end(message->easy_handle, message->data.result);
  }
}

void CurlHttp::end(void* handle, int outcome) {
  auto found = running_.find(handle);
  CHECK(found != running_.end());
  CurlTransfer* transfer = found->second;
  running_.erase(found);
  CHECK(curl_multi_remove_handle(multi_, handle) == CURLM_OK);
  transfer->finish(static_cast<CURLcode>(outcome));
}

void CurlHttp::end_all() {
  while (!running_.empty()) end(running_.begin()->first, CURLE_ABORTED_BY_CALLBACK);
}

}  // namespace weir::object
