// Which page an address means.

import { useEffect } from "preact/hooks";
import { Frame } from "../components/frame";
import { Empty, Loading } from "../components/marks";
import { environment, environments, loadEnvironments } from "../state/environments";
import { follow } from "../state/live";
import { forgetFlags } from "../state/flags";
import { go, place, to } from "../state/router";
import { session } from "../state/session";
import { later } from "../components/later";
import { ActivityPage } from "./activity";
import { FlagPage } from "./flag";
import { FlagsPage } from "./flags";
import { RequestsPage } from "./requests";
import { SignIn } from "./sign-in";

const ComposerPage = later(() => import("./composer").then((m) => m.ComposerPage));
const SegmentsPage = later<{ environment: string }>(() => import("./segments").then((m) => m.SegmentsPage));
const SegmentPage = later<{ environment: string; segment: string }>(() => import("./segments").then((m) => m.SegmentPage));
const RequestPage = later(() => import("./request").then((m) => m.RequestPage));
const EditPage = later(() => import("./edit").then((m) => m.EditPage));
const ComparePage = later<{ environment: string }>(() => import("./compare").then((m) => m.ComparePage));
const PlaygroundPage = later<{ environment: string }>(() => import("./playground").then((m) => m.PlaygroundPage));
const AuditPage = later<{ environment: string }>(() => import("./audit").then((m) => m.AuditPage));
const SettingsPage = later<{ environment: string }>(() => import("./settings").then((m) => m.SettingsPage));
const AccessPage = later(() => import("./administration").then((m) => m.AccessPage));
const WebhooksPage = later(() => import("./administration").then((m) => m.WebhooksPage));
const SourcesPage = later<{ environment: string }>(() => import("./administration").then((m) => m.SourcesPage));
const FleetPage = later<{ environment: string }>(() => import("./fleet").then((m) => m.FleetPage));
const LifecyclePage = later<{ environment: string }>(() => import("./lifecycle").then((m) => m.LifecyclePage));

export function App() {
  switch (session.value.state) {
    case "unknown":
      return <Loading what="the session" />;
    case "out":
      return <SignIn />;
    case "in":
      return <Inside key={session.value.principal.id ?? session.value.principal.name} />;
  }
}

function Inside() {
  const all = environments.value;
  const name = environment.value;
  useEffect(() => {
    void loadEnvironments();
    return () => {
      environments.value = undefined;
      forgetFlags();
    };
  }, []);
  useEffect(() => (name === "" || !all?.some((e) => e.name === name) ? undefined : follow(name)), [name, all !== undefined]);
  useEffect(() => {
    const last = window.localStorage.getItem("environment");
    if (all && all.length > 0 && name === "") {
      go(to([all.find((e) => e.name === last)?.name ?? all[0]!.name, "flags"]), true);
    } else if (name !== "") {
      window.localStorage.setItem("environment", name);
    }
  }, [all, name]);
  if (!all) {
    return <Loading what="environments" />;
  }
  return <Frame>{all.length === 0 ? <NoEnvironment /> : all.some((e) => e.name === name) ? <Page name={name} /> : <Unknown what={`environment ${name}`} />}</Frame>;
}

function Page({ name }: { name: string }) {
  const [, section = "flags", key, action] = place.value.parts;
  switch (section) {
    case "flags":
      if (key === undefined) {
        return <FlagsPage environment={name} />;
      }
      return action === "edit" ? <EditPage environment={name} kind="flag" name={key} key={key} /> : <FlagPage environment={name} flag={key} key={`${name}/${key}`} />;
    case "new-flag":
      return <EditPage environment={name} kind="flag" key="new-flag" />;
    case "new-segment":
      return <EditPage environment={name} kind="segment" key="new-segment" />;
    case "segments":
      if (key !== undefined && action === "edit") {
        return <EditPage environment={name} kind="segment" name={key} key={`${name}/${key}`} />;
      }
      return key === undefined ? <SegmentsPage environment={name} /> : <SegmentPage environment={name} segment={key} key={`${name}/${key}`} />;
    case "change":
      return <ComposerPage environment={name} key={place.value.query.toString()} />;
    case "requests":
      return key === undefined ? <RequestsPage environment={name} /> : <RequestPage environment={name} request={key} key={key} />;
    case "activity":
      return <ActivityPage environment={name} key={name} />;
    case "fleet":
      return <FleetPage environment={name} key={name} />;
    case "compare":
      return <ComparePage environment={name} key={name} />;
    case "playground":
      return <PlaygroundPage environment={name} key={name} />;
    case "audit":
      return <AuditPage environment={name} key={name} />;
    case "settings":
      return <SettingsPage environment={name} key={name} />;
    case "sources":
      return <SourcesPage environment={name} key={name} />;
    case "access":
      return <AccessPage />;
    case "webhooks":
      return <WebhooksPage />;
    case "lifecycle":
      return <LifecyclePage environment={name} key={name} />;
    default:
      return <Unknown what="page" />;
  }
}

function NoEnvironment() {
  return <Empty><h1>No environment</h1><p>You may read no environment, or there is none yet. Create one: <code>flagside environment create NAME</code></p></Empty>;
}

function Unknown({ what }: { what: string }) {
  return <Empty><h1>Not found</h1><p>There is no <bdi>{what}</bdi> here that you may read.</p><p><a href="/console/">Go to the flags</a></p></Empty>;
}
