// Objects of 4 MiB put into and got from an S3 store by several threads, in turn through Weir's store and through a
// plain client: one easy handle of libcurl a thread, which does nothing but the same signed requests. Gets are hashed
// and written to a file, as a fill does. Prints the median rate of each and their ratio.
//   store_bench s3://bucket/prefix?endpoint=URL [OBJECTS [THREADS [ROUNDS [DIRECTORY]]]]
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/io.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/sha256.h"
#include "object/s3/s3_store.h"

namespace weir {
namespace {

using object::HttpReply;
using object::HttpRequest;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "store_bench: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) give_up(result.error().what);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// The plain client: libcurl's easy interface, on the thread of the caller.
class EasyHttp : public object::Http {
 public:
  Result<HttpReply> send(const HttpRequest& request) override {
    thread_local std::unique_ptr<CURL, void (*)(CURL*)> owned(curl_easy_init(), curl_easy_cleanup);
    Exchange exchange{request, {}, 0};
    CURL* handle = owned.get();
    curl_easy_reset(handle);
    curl_slist* headers = nullptr;
    for (const char* line : {"Expect:", "Accept:", "Content-Type:"}) headers = curl_slist_append(headers, line);
    for (const auto& header : request.headers)
      headers = curl_slist_append(headers, fmt::format("{}: {}", header.name, header.value).c_str());
    curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &exchange);
    if (request.method == HttpRequest::Method::kPut) {
      curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(handle, CURLOPT_READFUNCTION, &on_upload);
      curl_easy_setopt(handle, CURLOPT_READDATA, &exchange);
    } else if (request.method != HttpRequest::Method::kGet) {
      curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, std::string(object::method_name(request.method)).c_str());
    }
    CURLcode done = curl_easy_perform(handle);
    curl_slist_free_all(headers);
    if (done != CURLE_OK) return error(Code::kUnavailable, "{}", curl_easy_strerror(done));
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    exchange.reply.status = static_cast<int>(status);
    return std::move(exchange.reply);
  }

 private:
  struct Exchange {
    const HttpRequest& request;
    HttpReply reply;
    size_t sent = 0;
  };

  static size_t on_body(char* bytes, size_t, size_t count, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    std::span<char> into = exchange.request.into;
    if (into.empty()) {
      exchange.reply.body.append(bytes, count);
      return count;
    }
    if (count > into.size() - exchange.reply.into_bytes) return 0;
    std::memcpy(into.data() + exchange.reply.into_bytes, bytes, count);
    exchange.reply.into_bytes += count;
    return count;
  }
  static size_t on_header(char* bytes, size_t, size_t count, void* self) {
    std::string_view line(bytes, count);
    size_t colon = line.find(": ");
    size_t end = line.find('\r');
    if (colon != std::string_view::npos && end != std::string_view::npos)
      static_cast<Exchange*>(self)->reply.headers.push_back(
          {std::string(line.substr(0, colon)), std::string(line.substr(colon + 2, end - colon - 2))});
    return count;
  }
  static size_t on_upload(char* buffer, size_t, size_t room, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    size_t count = std::min(room, exchange.request.body.size() - exchange.sent);
    std::memcpy(buffer, exchange.request.body.data() + exchange.sent, count);
    exchange.sent += count;
    return count;
  }
};

struct Sizes {
  size_t objects = 128;
  size_t threads = 16;
  size_t rounds = 5;
  std::string directory = "/var/tmp";
};

std::string name_of(size_t index) { return fmt::format("bench/{:02x}/{}", index % 256, index); }

double seconds_of(const SystemClock& clock, const std::function<void(size_t)>& work, const Sizes& sizes) {
  int64_t begin_ns = clock.monotonic_ns();
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < sizes.threads; ++i) {
    threads.emplace_back([&] {
      for (size_t index = next++; index < sizes.objects; index = next++) work(index);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(clock.monotonic_ns() - begin_ns) / 1e9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void report(const char* what, const std::vector<double>& weir, const std::vector<double>& plain, const Sizes& sizes) {
  double megabytes = static_cast<double>(sizes.objects * limits::kChunkBytes) / 1e6;
  std::printf("%s: weir %.0f MB/s, plain client %.0f MB/s, ratio %.2f\n", what, megabytes / median(weir),
              megabytes / median(plain), median(plain) / median(weir));
}

class Bench {
 public:
  Bench(const std::string& url, Sizes sizes) : sizes_(std::move(sizes)) {
    auto location = must(object::S3Location::parse(url));
    must(location.complete());
    weir_ = must(object::S3Store::create(must(object::connect_s3(location, clock_)), "bench", clock_));
    std::vector<std::unique_ptr<object::CredentialSource>> sources;
    sources.push_back(std::make_unique<object::EnvironmentCredentials>());
    auto credentials = std::make_unique<object::CredentialCache>(std::move(sources), clock_);
    auto client =
        std::make_unique<object::S3Client>(location, std::make_unique<EasyHttp>(), std::move(credentials), clock_);
    plain_ = must(object::S3Store::open(std::move(client), "bench", clock_));
    for (size_t i = 0; i < sizes_.threads; ++i) chunks_.push_back(SystemRandom().bytes(limits::kChunkBytes));
    for (const std::string& chunk : chunks_) digests_.push_back(sha256(chunk));
  }

  void run() {
    std::vector<double> times[4];
    for (size_t round = 0; round < sizes_.rounds; ++round) {
      for (size_t which = 0; which < 2; ++which) {
        // Who comes second finds warmer caches: they take turns.
        bool ours = (which + round) % 2 == 0;
        object::ObjectStore& store = ours ? *weir_ : *plain_;
        times[ours ? 0 : 1].push_back(seconds_of(
            clock_, [&](size_t index) { put(store, index); }, sizes_));
        times[ours ? 2 : 3].push_back(get_all(store));
      }
    }
    report("put", times[0], times[1], sizes_);
    report("get + SHA-256 + write", times[2], times[3], sizes_);
    std::vector<std::string> names;
    for (size_t i = 0; i < sizes_.objects; ++i) names.push_back(name_of(i));
    must(weir_->remove_all(names));
  }

 private:
  void put(object::ObjectStore& store, size_t index) {
    size_t chunk = index % chunks_.size();
    must(store.put(name_of(index), {chunks_[chunk], digests_[chunk]}));
  }

  double get_all(object::ObjectStore& store) {
    std::string path = fmt::format("{}/store-bench-{}", sizes_.directory, clock_.realtime_ns());
    FileDescriptor file = must(io::open_file(path, O_RDWR | O_CREAT | O_EXCL));
    double seconds = seconds_of(
        clock_,
        [&](size_t index) {
          thread_local std::string buffer(limits::kChunkBytes, '\0');
          if (must(store.get_into(name_of(index), 0, buffer)) != buffer.size()) give_up("an object is short");
          if (sha256(buffer) != digests_[index % digests_.size()]) give_up("an object is damaged");
          must(io::write_at(file.get(), buffer, index * limits::kChunkBytes));
        },
        sizes_);
    must(io::remove_file(path));
    return seconds;
  }

  const Sizes sizes_;
  SystemClock clock_;
  std::unique_ptr<object::S3Store> weir_;
  std::unique_ptr<object::S3Store> plain_;
  std::vector<std::string> chunks_;
  std::vector<Sha256Digest> digests_;
};

}  // namespace
}  // namespace weir

int main(int count, char** arguments) {
  if (count < 2) weir::give_up("usage: store_bench S3_URL [OBJECTS [THREADS [ROUNDS [DIRECTORY]]]]");
  weir::Sizes sizes;
  auto number = [&](int index, size_t usual) {
    return count > index ? std::max<size_t>(1, std::strtoul(arguments[index], nullptr, 10)) : usual;
  };
  sizes.objects = number(2, sizes.objects);
  sizes.threads = number(3, sizes.threads);
  sizes.rounds = number(4, sizes.rounds);
  if (count > 5) sizes.directory = arguments[5];
  weir::Bench(arguments[1], sizes).run();
  return 0;
}
