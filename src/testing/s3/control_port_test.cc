#include "testing/s3/control_port.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/s3/fault_server_fixture.h"

namespace weir::testing::s3 {
namespace {

using Json = nlohmann::json;

class ControlPort : public FaultServerFixture {
 protected:
  RawAnswer ask(std::string_view method, std::string_view path, const std::string& body = "",
                const Headers& headers = {}) const {
    return RawClient(server_->control_port(), {}).request(method, path, body, headers);
  }
  int command(std::string_view name, const Json& document) const {
    return ask("POST", fmt::format("/_fault/{}", name), document.dump()).status;
  }
  Json metadata(std::string_view path, const Headers& headers) const {
    return Json::parse(ask("GET", path, "", headers).body);
  }

  static Credential credential_of(const Json& document) {
    return {.access_key = document["AccessKeyId"],
            .secret_key = document["SecretAccessKey"],
            .session_token = document["Token"]};
  }

  const std::string role_path_ = "/latest/meta-data/iam/security-credentials/weir-role";
  const Headers token_ = {{"X-aws-ec2-metadata-token", "weir-metadata-token"}};
};

TEST_F(ControlPort, AddsAndForgetsFaults) {
  put("key", "0123456789");
  EXPECT_EQ(command("add", {{"kind", "short_body"}, {"operations", {"GetObject"}}, {"bytes", 3}, {"count", 1}}), 200);
  EXPECT_EQ(get("key").body, "012");
  EXPECT_EQ(command("add", {{"kind", "internal_error"}}), 200);
  EXPECT_EQ(get("key").status, 500);
  EXPECT_EQ(command("clear", Json::object()), 200);
  EXPECT_EQ(get("key").status, 200);
}

TEST_F(ControlPort, RefusesWhatMakesNoSense) {
  EXPECT_EQ(command("add", {{"kind", "no_such_fault"}}), 400);
  EXPECT_EQ(command("add", Json::object()), 400);
  EXPECT_EQ(command("add", {{"kind", "slow_body"}, {"bytes_per_second", 0}}), 400);
  EXPECT_EQ(command("no_such_command", Json::object()), 400);
  EXPECT_EQ(ask("POST", "/_fault/add", "{").status, 400);
  EXPECT_EQ(ask("GET", "/_fault/add").status, 400);
}

TEST_F(ControlPort, AnswersWhileTheEndpointIsOutOfReach) {
  EXPECT_EQ(command("settings", {{"refuse_connections", true}}), 200);
  EXPECT_EQ(get("key").ending, Ending::kRefused);
  EXPECT_EQ(command("settings", {{"refuse_connections", false}, {"clock_skew_ms", 3'600'000}}), 200);
  EXPECT_EQ(get("key").code(), "RequestTimeTooSkewed");
}

TEST_F(ControlPort, TellsTheCounters) {
  put("key", "12345");
  get("key");
  const Json counters = Json::parse(ask("GET", "/_fault/counters").body);
  EXPECT_EQ(counters["requests"]["PutObject"], 1);
  EXPECT_EQ(counters["objects"]["bucket/key"]["bytes_received"], 5);
  EXPECT_EQ(counters["objects"]["bucket/key"]["puts_done"], 1);
  EXPECT_EQ(counters["answers"]["200"], 2);
  EXPECT_EQ(counters["seconds"][0]["accepted"], 2);
  EXPECT_EQ(command("reset_counters", Json::object()), 200);
  EXPECT_TRUE(Json::parse(ask("GET", "/_fault/counters").body)["requests"].empty());
}

TEST_F(ControlPort, SetsRatesAndCredentials) {
  EXPECT_EQ(command("credential", {{"access_key", "reader"}, {"secret_key", "x"}, {"may_write", false}}), 200);
  EXPECT_EQ(client({.access_key = "reader", .secret_key = "x"}).request("PUT", "/bucket/key", "x").code(),
            "AccessDenied");
  EXPECT_EQ(command("rate", {{"requests_per_second", 0.001}, {"burst_ms", 1'000'000}}), 200);
  EXPECT_EQ(put("key", "x").status, 200);
  EXPECT_EQ(put("key", "x").code(), "SlowDown");
}

TEST_F(ControlPort, GivesCredentialsOfAMachineThatMaySignAtTheEndpoint) {
  EXPECT_EQ(ask("GET", role_path_).status, 401);  // without a token
  EXPECT_EQ(ask("PUT", "/latest/api/token").status, 400);
  EXPECT_EQ(ask("PUT", "/latest/api/token", "", {{"X-aws-ec2-metadata-token-ttl-seconds", "60"}}).body,
            token_[0].second);
  EXPECT_EQ(ask("GET", "/latest/meta-data/iam/security-credentials/", "", token_).body, "weir-role");
  const Credential given = credential_of(metadata(role_path_, token_));
  EXPECT_EQ(client(given).request("PUT", "/bucket/key", "x").status, 200);
  EXPECT_EQ(credential_of(metadata(role_path_, token_)).access_key, given.access_key);  // they still last
}

TEST_F(ControlPort, GivesNewCredentialsBeforeTheOldOnesEndAndTheseExpire) {
  EXPECT_EQ(command("metadata", {{"lifetime_seconds", 100}, {"renew_seconds", 40}}), 200);
  const Credential first = credential_of(metadata(role_path_, token_));
  server_->set_clock_skew_ms(70'000);
  const Credential second = credential_of(metadata(role_path_, token_));
  EXPECT_NE(first.access_key, second.access_key);
  EXPECT_EQ(client(first).request("PUT", "/bucket/key", "x").status, 200);
  server_->set_clock_skew_ms(110'000);
  EXPECT_EQ(client(first).request("PUT", "/bucket/key", "x").code(), "ExpiredToken");
  EXPECT_EQ(client(second).request("PUT", "/bucket/key", "x").status, 200);
  EXPECT_EQ(command("rotate", Json::object()), 200);
  EXPECT_NE(credential_of(metadata(role_path_, token_)).access_key, second.access_key);
}

TEST_F(ControlPort, GivesCredentialsOfAContainer) {
  EXPECT_EQ(command("metadata", {{"container_token", "Bearer me"}}), 200);
  EXPECT_EQ(ask("GET", "/ecs/credentials").status, 401);
  const Credential given = credential_of(metadata("/ecs/credentials", {{"Authorization", "Bearer me"}}));
  EXPECT_EQ(client(given).request("PUT", "/bucket/key", "x").status, 200);
  EXPECT_EQ(command("metadata", {{"status", 500}}), 200);
  EXPECT_EQ(ask("GET", "/ecs/credentials", "", {{"Authorization", "Bearer me"}}).status, 500);
}

}  // namespace
}  // namespace weir::testing::s3
