// Objects of 4 MiB put into and got from an S3 store by several threads, in turn through Weir's store and by the plain
// client (bench/plain). Puts are hashed; gets are hashed and written to a file, as a fill does. Prints the median rate
// of each and their ratio. Without a URL the server is the tests' own, in the memory of this process.
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/io.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/sha256.h"
#include "bench/plain/plain_client.h"
#include "object/s3/s3_store.h"
#include "testing/s3/fault_server.h"

namespace weir::bench {
namespace {

struct Options {
  std::string url;
  size_t objects = 64;
  size_t threads = 8;
  size_t rounds = 5;
  std::string directory = "/var/tmp";
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Rates {
  std::vector<double> weir;  // MB/s, one a round
  std::vector<double> plain;
};

void report(const char* what, const Rates& rates) {
  fmt::print("{}: weir {:.0f} MB/s, plain client {:.0f} MB/s, ratio {:.2f}\n", what, median(rates.weir),
             median(rates.plain), median(rates.weir) / median(rates.plain));
}

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {}

  Status run() {
    TRY(connect());
    fmt::print("{} objects of 4 MiB, {} threads, medians of {} rounds, {}\n", options_.objects, options_.threads,
               options_.rounds, weir_->describe());
    make_objects();
    Rates puts;
    Rates gets;
    for (size_t round = 0; round < options_.rounds; ++round) {
      // Who comes second finds warmer caches: they take turns.
      for (const bool ours : {round % 2 == 0, round % 2 != 0}) {
        ASSIGN_OR_RETURN(const PlainOutcome put,
                         ours ? put_all() : plain_put(target_, objects_, contents_, options_.threads));
        (ours ? puts.weir : puts.plain).push_back(put.megabytes_per_second());
        ASSIGN_OR_RETURN(const PlainOutcome got, get(ours));
        (ours ? gets.weir : gets.plain).push_back(got.megabytes_per_second());
      }
    }
    report("SHA-256 + put", puts);
    report("get + SHA-256 + write", gets);
    std::vector<std::string> names;
    for (size_t i = 0; i < options_.objects; ++i) names.push_back(name_of(i));
    return weir_->remove_all(names);
  }

 private:
  static std::string name_of(size_t index) { return fmt::format("bench/{}", index); }

  Status connect() {
    if (options_.url.empty()) {
      ASSIGN_OR_RETURN(server_, testing::s3::FaultServer::start());
      const testing::s3::Credential& credential = server_->credential();
      ::setenv("AWS_ACCESS_KEY_ID", credential.access_key.c_str(), 1);
      ::setenv("AWS_SECRET_ACCESS_KEY", credential.secret_key.c_str(), 1);
      options_.url = "s3://bucket/bench?endpoint=" + server_->endpoint();
    }
    ASSIGN_OR_RETURN(object::S3Location location, object::S3Location::parse(options_.url));
    TRY(location.complete());
    if (location.endpoint.empty()) return error(Code::kInvalid, "the plain client needs endpoint= in the URL");
    target_ = {location.endpoint, location.bucket, location.region, environment("AWS_ACCESS_KEY_ID"),
               environment("AWS_SECRET_ACCESS_KEY")};
    prefix_ = location.prefix.empty() ? "" : location.prefix + "/";
    ASSIGN_OR_RETURN(auto client, object::connect_s3(location, clock_));
    ASSIGN_OR_RETURN(weir_, object::S3Store::create(std::move(client), "bench", clock_));
    return {};
  }

  /// The plain client has the same objects under the same keys.
  void make_objects() {
    SystemRandom random;
    for (size_t i = 0; i < options_.objects; ++i) {
      contents_.push_back(random.bytes(limits::kChunkBytes));
      objects_.push_back({prefix_ + "objects/" + name_of(i), limits::kChunkBytes, sha256(contents_.back())});
    }
  }

  /// Does `work` for each object, on as many threads as the plain client has.
  Result<PlainOutcome> timed(const std::function<Status(size_t)>& work) {
    std::atomic<size_t> next = 0;
    std::vector<Status> outcomes(options_.threads);
    std::vector<std::thread> threads;
    const int64_t begin_ns = clock_.monotonic_ns();
    for (Status& outcome : outcomes) {
      threads.emplace_back([&] {
        for (size_t index = next++; outcome && index < objects_.size(); index = next++) outcome = work(index);
      });
    }
    for (std::thread& thread : threads) thread.join();
    const int64_t elapsed_ns = clock_.monotonic_ns() - begin_ns;
    for (const Status& outcome : outcomes) TRY(outcome);
    return PlainOutcome{objects_.size() * limits::kChunkBytes, elapsed_ns};
  }

  Result<PlainOutcome> put_all() {
    return timed([&](size_t index) {
      return weir_->put(name_of(index), {contents_[index], sha256(contents_[index])});
    });
  }

  Result<PlainOutcome> get(bool ours) {
    const std::string path = fmt::format("{}/store-bench-{}", options_.directory, clock_.realtime_ns());
    ASSIGN_OR_RETURN(const PlainOutcome got,
                     ours ? get_all(path) : plain_get(target_, objects_, options_.threads, path));
    TRY(io::remove_file(path));
    return got;
  }

  Result<PlainOutcome> get_all(const std::string& path) {
    ASSIGN_OR_RETURN(const FileDescriptor file, io::open_file(path, O_RDWR | O_CREAT | O_EXCL));
    return timed([&](size_t index) -> Status {
      thread_local std::string buffer(limits::kChunkBytes, '\0');
      ASSIGN_OR_RETURN(const size_t bytes, weir_->get_into(name_of(index), 0, buffer));
      if (bytes != buffer.size() || sha256(buffer) != objects_[index].sha256)
        return error(Code::kCorrupt, "{} is not what was put there", name_of(index));
      return io::write_at(file.get(), buffer, index * limits::kChunkBytes);
    });
  }

  Options options_;
  SystemClock clock_;
  std::unique_ptr<testing::s3::FaultServer> server_;  // null: the URL names another
  std::unique_ptr<object::S3Store> weir_;
  PlainTarget target_;
  std::string prefix_;
  std::vector<std::string> contents_;
  std::vector<PlainObject> objects_;
};

std::optional<Options> parse(int count, char** arguments, int* exit_code) {
  Options options;
  CLI::App app("Puts to and gets from an S3 store, beside a plain client (docs/object-stores.md)");
  app.add_option("URL", options.url,
                 "s3://BUCKET/PREFIX?endpoint=URL, with keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. "
                 "Default: a server of its own, in memory.");
  app.add_option("--objects", options.objects)->capture_default_str()->check(CLI::Range(1, 100'000));
  app.add_option("--threads", options.threads, "Requests at once.")->capture_default_str()->check(CLI::Range(1, 512));
  app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::Range(1, 1000));
  app.add_option("--dir", options.directory, "Where what was got is written.")->capture_default_str();
  bool quick = false;
  app.add_flag("--quick", quick, "Few objects and 3 rounds: shows that it works, not how fast.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& wrong) {
    *exit_code = app.exit(wrong) == 0 ? 0 : 2;
    return std::nullopt;
  }
  if (quick && app.count("--objects") == 0) options.objects = 16;
  if (quick && app.count("--rounds") == 0) options.rounds = 3;
  return options;
}

}  // namespace
}  // namespace weir::bench

int main(int count, char** arguments) {
  int exit_code = 0;
  auto options = weir::bench::parse(count, arguments, &exit_code);
  if (!options) return exit_code;
  const weir::Status done = weir::bench::Bench(std::move(*options)).run();
  if (done) return 0;
  fmt::print(stderr, "store_bench: {}\n", done.error().what);
  return 1;
}
