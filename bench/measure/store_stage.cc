#include "bench/measure/store_stage.h"

#include <stdlib.h>

#include <filesystem>

#include "base/hex.h"
#include "base/limits.h"
#include "bench/measure/content.h"

namespace weir::bench {

namespace {

constexpr const char* kBucket = "bucket";
constexpr const char* kChunks = "weir/chunks/";
constexpr size_t kAll = SIZE_MAX;

}  // namespace

Result<std::unique_ptr<StoreStage>> StoreStage::set(const Options& options) {
  std::unique_ptr<StoreStage> stage(new StoreStage());
  std::string scratch = options.directory + "/weir-bench-XXXXXX";
  if (::mkdtemp(scratch.data()) == nullptr) return errno_error(errno, "make a directory in " + options.directory);
  stage->scratch_ = scratch;
  ASSIGN_OR_RETURN(stage->server_, testing::s3::FaultServer::start());
  const testing::s3::Credential& credential = stage->server_->credential();
  stage->target_ = {stage->server_->endpoint(), kBucket, "us-east-1", credential.access_key, credential.secret_key};
  // The daemon has them from us.
  ::setenv("AWS_ACCESS_KEY_ID", credential.access_key.c_str(), 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", credential.secret_key.c_str(), 1);
  ASSIGN_OR_RETURN(stage->weir_,
                   WeirPlace::mount({.program = options.program,
                                     .scratch = scratch,
                                     .passthrough = options.passthrough,
                                     .store_url = "s3://bucket/weir?endpoint=" + stage->target_.endpoint}));
  return stage;
}

StoreStage::~StoreStage() {
  weir_.reset();
  server_.reset();
  std::error_code ignored;
  if (!scratch_.empty()) std::filesystem::remove_all(scratch_, ignored);
}

void StoreStage::keep_objects() {
  for (const auto& listed : server_->objects().list(kBucket, kChunks, "", kAll, 0)) kept_.insert(listed.key);
}

void StoreStage::drop_newer_objects() {
  for (const auto& listed : server_->objects().list(kBucket, kChunks, "", kAll, 0))
    if (!kept_.contains(listed.key)) server_->objects().remove(kBucket, listed.key);
}

Result<double> StoreStage::plain_upload(uint64_t bytes, size_t parallel) {
  Content content(limits::kChunkBytes);
  std::vector<std::string> contents;
  for (const PlainObject& object : objects_) server_->objects().remove(kBucket, object.key);
  objects_.clear();
  for (uint64_t done = 0; done < bytes; done += limits::kChunkBytes) {
    contents.emplace_back(content.next());
    const Sha256Digest digest = sha256(contents.back());
    const std::string id = to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
    objects_.push_back({"plain/" + id, limits::kChunkBytes, digest});
  }
  ASSIGN_OR_RETURN(const PlainOutcome put, plain_put(target_, objects_, contents, parallel));
  return put.megabytes_per_second();
}

Result<double> StoreStage::plain_download(size_t parallel) {
  const std::string file = scratch_ + "/plain";
  ASSIGN_OR_RETURN(const PlainOutcome got, plain_get(target_, objects_, parallel, file));
  TRY(remove_path(file));
  return got.megabytes_per_second();
}

}  // namespace weir::bench
