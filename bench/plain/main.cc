// Puts objects to an S3 service and gets them back, as fast as the plain client can: the measure for Weir's own uploads
// and cold reads. Prints one line a round.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/hex.h"
#include "base/random.h"
#include "bench/plain/plain_client.h"

namespace {

using namespace weir::bench;

struct Options {
  PlainTarget target;
  size_t objects = 64;
  size_t object_bytes = 4 << 20;
  size_t parallel = 8;
  size_t rounds = 3;
  std::string file = "plain-client.out";
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct Load {
  std::vector<PlainObject> objects;
  std::vector<std::string> contents;
};

/// Other content in each round, so that no server can know it already.
Load load_of(const Options& options, uint64_t round) {
  Load load;
  weir::SeededRandom random(round + 1);
  for (size_t i = 0; i < options.objects; i++) {
    load.contents.push_back(random.bytes(options.object_bytes));
    const weir::Sha256Digest digest = weir::sha256(load.contents.back());
    const std::string id = weir::to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
    load.objects.push_back({fmt::format("plain/{}/{}", id.substr(0, 2), id), options.object_bytes, digest});
  }
  return load;
}

weir::Status run(const Options& options) {
  for (size_t round = 0; round < options.rounds; round++) {
    const Load load = load_of(options, round);
    ASSIGN_OR_RETURN(const PlainOutcome put, plain_put(options.target, load.objects, load.contents, options.parallel));
    ASSIGN_OR_RETURN(const PlainOutcome get, plain_get(options.target, load.objects, options.parallel, options.file));
    fmt::print("put {:.0f} MB/s, get {:.0f} MB/s ({} objects of {} bytes, {} at once)\n", put.megabytes_per_second(),
               get.megabytes_per_second(), options.objects, options.object_bytes, options.parallel);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.target.access_key = environment("AWS_ACCESS_KEY_ID");
  options.target.secret_key = environment("AWS_SECRET_ACCESS_KEY");
  CLI::App app(
      "Puts objects to an S3 service and gets them back; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  app.add_option("endpoint", options.target.endpoint, "such as http://127.0.0.1:7070")->required();
  app.add_option("bucket", options.target.bucket)->required();
  app.add_option("--region", options.target.region);
  app.add_option("--objects", options.objects)->check(CLI::PositiveNumber);
  app.add_option("--object-bytes", options.object_bytes)->check(CLI::PositiveNumber);
  app.add_option("--parallel", options.parallel)->check(CLI::PositiveNumber);
  app.add_option("--rounds", options.rounds)->check(CLI::PositiveNumber);
  app.add_option("--file", options.file, "where what was got is written");
  CLI11_PARSE(app, argc, argv);
  if (const weir::Status done = run(options); !done) {
    fmt::print(stderr, "plain_client: {}\n", done.error().what);
    return 1;
  }
  return 0;
}
