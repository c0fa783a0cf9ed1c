import type { Dashboard } from './dashboard.ts';
import { namespaceDashboard } from './namespace.ts';
import { podDashboard } from './pod.ts';
import { webhookDashboard } from './webhook.ts';

/** Those of the chart. */
export const dashboards: readonly Dashboard[] = [podDashboard, namespaceDashboard, webhookDashboard];
