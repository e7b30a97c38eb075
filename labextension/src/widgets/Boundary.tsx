/**
 * Draws a view that is loaded when it is first shown; catches what goes wrong while it is loaded or drawn,
 * and offers to try again, loading included.
 */
import { Component, Suspense, lazy } from 'react';
import type { ComponentType, LazyExoticComponent, ReactNode } from 'react';

import type { Translation } from '../ui/labels';

interface Props<View extends object> {
  trans: Translation;
  load: () => Promise<ComponentType<View>>;
  /** What the view is given. */
  view: View;
}

interface State<View extends object> {
  error: Error | null;
  View: LazyExoticComponent<ComponentType<View>>;
}

/** React keeps a failed load for good: every try has a lazy component of its own. */
function once<View extends object>(load: Props<View>['load']): State<View>['View'] {
  return lazy(() => load().then(loaded => ({ default: loaded })));
}

export class Boundary<View extends object> extends Component<Props<View>, State<View>> {
  state: State<View> = { error: null, View: once(this.props.load) };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  render(): ReactNode {
    const { trans, load, view } = this.props;
    const { error, View } = this.state;
    if (!error) {
      // What a lazy component may be given cannot be told from its type here.
      const Drawn = View as unknown as ComponentType<View>;
      return (
        <Suspense fallback={null}>
          <Drawn {...view} />
        </Suspense>
      );
    }
    return (
      <div className="ca-Broken" role="alert">
        <p>{trans.__('This view cannot be shown: %1', error.message)}</p>
        <p>{trans.__('Try again; if it stays, reload the page.')}</p>
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => this.setState({ error: null, View: once(load) })}
        >
          {trans.__('Try again')}
        </button>
      </div>
    );
  }
}
