#pragma once

#include <curl/curl.h>

#include "base/mutex.h"
#include "object/s3/curl_http.h"

namespace weir::object {

/// One request on its way through libcurl: its handle's settings, and where the answer gathers. Used by the caller
/// until it is handed to CurlHttp's thread, by that until it is finished, and by the caller again.
class CurlTransfer {
 public:
  /// Requires: `request` and `handle` outlive this.
  CurlTransfer(const HttpRequest& request, const CurlHttp::Options& options, CURL* handle);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  CURL* handle() const { return handle_; }
  /// Called once, by the thread that drives transfers; the caller may go on from then on.
  void finish(CURLcode outcome);
  /// Blocks: until finish().
  Result<HttpReply> wait();

 private:
  void set_common(const CurlHttp::Options& options);
  void set_method();
  void set_headers();
  Failure failure_of(CURLcode outcome);
  /// What OpenSSL says of the server's certificate.
  long verified() const;
  bool answers_into() const;

  size_t take_header(std::string_view line);
  size_t take_body(std::string_view bytes);
  size_t give_body(char* buffer, size_t room);

  static size_t on_header(char* bytes, size_t size, size_t count, void* self);
  static size_t on_body(char* bytes, size_t size, size_t count, void* self);
  static size_t on_upload(char* buffer, size_t size, size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);

  const HttpRequest& request_;
  CURL* const handle_;
  curl_slist* headers_ = nullptr;
  char what_failed_[CURL_ERROR_SIZE] = {};
  size_t sent_bytes_ = 0;
  bool too_long_ = false;
  HttpReply reply_;

  Mutex mutex_;
  ConditionVariable finished_;
  std::optional<CURLcode> outcome_ GUARDED_BY(mutex_);
};

}  // namespace weir::object
