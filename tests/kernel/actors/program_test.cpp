// Outside programs: how they are found, what they get, what is taken from them.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "troupe.hpp"

namespace lab::test {
namespace {

using namespace std::chrono_literals;

// A scenario's folder, gone with the test.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/lab-actors-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void put(const std::string& name, const std::string& text, unsigned mode) {
    std::ofstream(path_ + "/" + name) << text;
    ::chmod((path_ + "/" + name).c_str(), mode);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

actors::Context in(const Folder& folder) { return {{"127.0.0.1", 8080}, folder.path()}; }

TEST(Program, IsFoundInPathAndBesideTheFile) {
  Folder folder;
  folder.put("mine", "#!/bin/sh\necho mine \"$@\" in $(basename $(pwd))\n", 0755);
  folder.put("plain", "echo plain \"$@\"\n", 0755);  // no interpreter line: /bin/sh's
  Troupe troupe({program(Role::client, {"echo", "from PATH"}), program(Role::client, {"./mine", "a b"}),
                 program(Role::client, {"./plain", "c"}), program(Role::client, {"/bin/echo", "whole path"})},
                in(folder));
  troupe.play();
  EXPECT_EQ(troupe.output(0), "from PATH\n");
  EXPECT_EQ(troupe.output(1), "mine a b in " + std::filesystem::path(folder.path()).filename().string() + "\n");
  EXPECT_EQ(troupe.output(2), "plain c\n");
  EXPECT_EQ(troupe.output(3), "whole path\n");
}

TEST(Program, ItsOwnPathCounts) {
  Folder folder;
  folder.put("tool", "#!/bin/sh\necho own tool\n", 0755);
  auto own = program(Role::client, {"tool"});
  own.env["PATH"] = folder.path() + ":/bin";
  auto relative = program(Role::client, {"tool"});
  relative.env["PATH"] = "::/bin";  // an empty element is the working folder
  Troupe troupe({own, relative}, in(folder));
  troupe.play();
  EXPECT_EQ(troupe.output(0), "own tool\n");
  EXPECT_EQ(troupe.output(1), "own tool\n");
}

struct Missing {
  const char* name;
  const char* words;
  const char* message;
  int status;
};
class Unrunnable : public testing::TestWithParam<Missing> {};

TEST_P(Unrunnable, IsTheScenariosMistake) {
  Folder folder;
  folder.put("not-executable", "#!/bin/sh\n", 0644);
  folder.put("no-such-program", "#!/bin/sh\necho a namesake in the working folder\n", 0755);
  folder.put("bad-interpreter", "#!/nowhere/interpreter\n", 0755);
  Troupe troupe({program(Role::client, {GetParam().words})}, in(folder));
  troupe.may_fail = true;
  troupe.play();
  EXPECT_EQ(troupe[0].failure(), GetParam().message);
  EXPECT_TRUE(troupe[0].failure_of_program());
  EXPECT_EQ(WEXITSTATUS(troupe.status(0)), GetParam().status);
  EXPECT_EQ(troupe.output(0), "");
}

INSTANTIATE_TEST_SUITE_P(
    Every, Unrunnable,
    testing::Values(Missing{"unknown", "no-such-program",
                            "client: cannot run 'no-such-program': No such file or directory (not found in PATH)", 127},
                    Missing{"gone", "./gone", "client: cannot run './gone': No such file or directory", 127},
                    Missing{"plainfile", "./not-executable", "client: cannot run './not-executable': Permission denied",
                            126},
                    Missing{"interpreter", "./bad-interpreter",
                            "client: cannot run './bad-interpreter': No such file or directory", 127},
                    Missing{"folder", "/tmp", "client: cannot run '/tmp': Permission denied", 126}),
    [](const auto& about) { return about.param.name; });

TEST(Program, KnowsWhereToGo) {
  Folder folder;
  const std::string tells = "echo $LAB_ROLE $LAB_HOST $LAB_PORT $LAB_LISTEN $NAME; readlink /proc/self/fd/0";
  auto serves = program(Role::server, {"sh", "-c", tells});
  serves.listen = scenario::Endpoint{"::1", 9090};
  auto asks = program(Role::client, {"sh", "-c", tells});
  asks.env = {{"NAME", "value"}, {"LAB_PORT", "1"}};
  Troupe troupe({serves, asks}, in(folder));
  troupe.play();
  EXPECT_EQ(troupe.output(0), "server ::1 9090 [::1]:9090\n/dev/null\n");
  EXPECT_EQ(troupe.output(1), "client 127.0.0.1 1 value\n/dev/null\n") << "the scenario's env has the last word";
}

TEST(Program, OutputsAreKeptApart) {
  Troupe troupe({program(Role::client, {"sh", "-c", "echo out; echo err >&2; printf 'no newline'; exit 5"})});
  troupe.play();
  const auto said = troupe.output(0);
  EXPECT_EQ(said.size(), std::string("out\nno newline\n! err\n").size()) << said;
  EXPECT_THAT(said, testing::HasSubstr("! err\n"));
  EXPECT_LT(said.find("out\n"), said.find("no newline\n")) << "each in its own order";
  EXPECT_EQ(WEXITSTATUS(troupe.status(0)), 5);
}

TEST(Program, EndlessOutputIsCutInTheMiddle) {
  Troupe troupe({program(Role::client, {"sh", "-c", "seq 1 200000; echo the end"})});
  troupe.play();
  const auto said = troupe.output(0);
  EXPECT_TRUE(said.starts_with("1\n2\n3\n")) << said.substr(0, 20);
  EXPECT_TRUE(said.ends_with("199999\n200000\nthe end\n"));
  EXPECT_THAT(said, testing::ContainsRegex("bytes left out"));
  EXPECT_LT(said.size(), 140'000U);
  EXPECT_GT(said.size(), 128 * 1024U);
}

TEST(Program, LongLinesComeInPieces) {
  Troupe troupe({program(Role::client, {"sh", "-c", "head -c 10000 /dev/zero | tr '\\0' y"})});
  troupe.play();
  const auto said = troupe.output(0);
  EXPECT_EQ(std::count(said.begin(), said.end(), 'y'), 10000);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 3);
}

TEST(Program, DoesNotHoldTheRunByItsChildren) {
  Troupe troupe({program(Role::client, {"sh", "-c", "sleep 5 & echo started"})});
  troupe.play(0ms);
  EXPECT_EQ(troupe.output(0), "started\n");
  EXPECT_EQ(troupe.status(0), 0);
}

TEST(Program, InstancesAreProcesses) {
  auto many = program(Role::client, {"sh", "-c", "exit 4"});
  many.parallel = 3;
  Troupe troupe({many});
  troupe.play();
  ASSERT_EQ(troupe[0].endings().size(), 3U);
  for (const auto& ending : troupe[0].endings()) EXPECT_EQ(WEXITSTATUS(ending.status), 4);
  EXPECT_EQ(troupe[0].report().size(), 0U);
}

TEST(Program, ExecStepRunsInTheFolderWithTheEnvironment) {
  Folder folder;
  folder.put("mine", "#!/bin/sh\necho $LAB_ROLE $LAB_PORT $NAME\n", 0755);
  auto becomes = client({"exec ./mine"});
  becomes.env["NAME"] = "value";
  Troupe troupe({becomes}, in(folder));
  troupe.play();
  EXPECT_EQ(troupe.told(0), "exec ok");
  EXPECT_EQ(troupe.output(0), "client 8080 value\n");
}

TEST(Program, FolderThatIsGoneIsTheLabsFailure) {
  Troupe troupe({program(Role::client, {"true"})}, {{"127.0.0.1", 8080}, "/nowhere"});
  troupe.may_fail = true;
  troupe.play();
  EXPECT_EQ(troupe[0].failure(), "client: working folder /nowhere: No such file or directory");
}

}  // namespace
}  // namespace lab::test
